"""Stake and bond lost for each fault that the chain judges alone, and why accusing oneself never pays.

Every fault is committed on a real chain and proved there. Its culprit loses the whole deposit; whoever is awarded a part, the
wronged node or the prover, is taken for the culprit's accomplice in the second row: half of the deposit at least is burned.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.adversaries.ground import Ground
from bench.adversaries.stage import wealth
from bench.report import Goal, Row, row
from ledger.records import Call, RoundState
from protocol.evidence import Header, Kind, Leaf, subtree_roots, update_leaf
from protocol.shares import SCORE_TOTAL, score_basis
from protocol.trees import EMPTY_LEAF, LIST_TREE_DEPTH, NODE_TREE_DEPTH, SumNode, sum_tree_opening, tree_proof, tree_root
from protocol.typed_data import Receipt, Update
from tests.support.chain import COIN, LocalFederation, account

WRONGED = 1
DUE = (6_000_000, 4_000_000)


@dataclass(frozen=True)
class Charge:
    """A committed fault: the call that proves it, who did it, who is awarded a part, what the culprit's deposit is."""

    proof: Call
    culprit: str
    awarded: str
    deposit: int


def rows(ground: Ground, directory: Path) -> Iterator[Row]:
    """Two rows a fault, and for the aggregator's whether nobody is paid for that round."""
    for name, commit in FAULTS.items():
        with ground.copied(directory / name) as federation:
            charge = commit(_Case(federation))
            before = [wealth(federation.client, *people) for people in ((charge.culprit,), (charge.culprit, charge.awarded))]
            federation.send("stranger", charge.proof)
            after = [wealth(federation.client, *people) for people in ((charge.culprit,), (charge.culprit, charge.awarded))]
            state = federation.client.round(1).state
        alone, together = ((two - one).coin / COIN for one, two in zip(before, after, strict=True))
        lost = -charge.deposit / COIN
        yield row(f"fault: {name}, proved by anyone", "gain in stake", alone, "coin", Goal(at_most=lost))
        yield row(f"fault: {name}, self-accusation with an accomplice", "gain in stake", together, "coin", Goal(at_most=lost / 2))
        if charge.culprit == "aggregator":
            yield row(
                f"fault: {name}, proved by anyone", "round is Void", float(state is RoundState.VOID), "yes = 1", Goal(at_least=1)
            )


class _Case:
    """An open round 1 of two nodes, what each signed, and how it goes on."""

    def __init__(self, federation: LocalFederation) -> None:
        self.federation, self.client, self.stake = federation, federation.client, federation.config.stake
        federation.send("aggregator", self.client.open_round(0, (b"\x05" * 32,), b"\x06" * 32))
        on_chain, base = self.client.round(1), self.client.round(0).model_hash
        updates = [Update(1, on_chain.inputs, node, base, bytes([node + 1]) * 32, 10) for node in range(2)]
        self.updates = {node: (one, one.sign(self.client.domain, account(f"signer {node}"))) for node, one in enumerate(updates)}
        separator = self.client.domain.separator
        self.leaves = {node: update_leaf(*signed).hash(separator) for node, signed in self.updates.items()}

    def close(self, leaves: dict[int, bytes], commits: int = 0, *, early: bool = False) -> None:
        if not early:
            self.federation.chain.advance(self.federation.config.rounds.commit_seconds)
        self.federation.send("aggregator", self.client.close_round(1, tree_root(leaves, NODE_TREE_DEPTH), commits))

    def path(self, leaves: dict[int, bytes]) -> tuple[bytes, ...]:
        return tree_proof(leaves, NODE_TREE_DEPTH, WRONGED)

    def blame(self, proof: Call, *, wronged: bool = True) -> Charge:
        return Charge(proof, "aggregator", f"owner {WRONGED}" if wronged else "stranger", self.stake.aggregator_bond)

    def propose(self, basis: int = 0, total: int = 0, seed: bytes | None = None, score: int = 0) -> "_Published":
        """Evidence of two contributions, with what is added to basis, total and score of node 1, or with another seed."""
        self.close(self.leaves)
        figures = [(node, due, 5, 3, 4, score_basis(due, 5, 0)) for node, due in enumerate((6000, 4000))]
        figures[WRONGED] = (*figures[WRONGED][:5], figures[WRONGED][5] + basis)
        found = {node: Leaf(Kind.CONTRIBUTION, node, values) for node, values in enumerate(figures)}
        utility = Leaf(Kind.UTILITY, 0, (b"\x03", 0, 10_000))
        roots, sum_of_bases = subtree_roots(self.client.domain.separator, [*found.values(), utility])
        place = list(Kind).index(Kind.UPDATE)
        roots = (*roots[:place], tree_root(self.leaves, NODE_TREE_DEPTH), *roots[place + 1 :])
        right = self.federation.attestation(1, bytes(32), bytes(32), b"").seed
        header = Header(
            federation=self.client.domain.separator,
            round=1,
            inputs=self.client.round(1).inputs,
            seed=seed or right,
            roots=roots,
            total_basis=sum_of_bases + total,
            utility_empty=0,
            utility_all=10_000,
            z_thousandths=0,
            denominator=1,
            tolerances=(16, 64, 1024, 0, 128),
            code_version=bytes(32),
        )
        self.federation.propose(1, (DUE[0] - score, DUE[1] + score), evidence_root=header.root())
        sums = {node: SumNode(leaf.hash(self.client.domain.separator), leaf.get("basis")) for node, leaf in found.items()}
        return _Published(header, found[WRONGED], sums, utility)


@dataclass(frozen=True)
class _Published:
    header: Header
    leaf: Leaf
    sums: dict[int, SumNode]
    utility: Leaf


def _double_update(case: _Case) -> Charge:
    update, _ = case.updates[0]
    other = replace(update, samples=11)
    proof = case.client.court.prove_double_update(case.updates[0], (other, other.sign(case.client.domain, account("signer 0"))))
    return Charge(proof, "owner 0", "stranger", case.stake.minimum)


def _broken_receipt(case: _Case) -> Charge:
    receipt = Receipt(1, WRONGED, case.leaves[WRONGED]).sign(case.client.domain, account("aggregator"))
    kept = {0: case.leaves[0]}
    case.close(kept)
    return case.blame(case.client.court.prove_broken_receipt(*case.updates[WRONGED], receipt, EMPTY_LEAF, case.path(kept)))


def _missing_commit(case: _Case) -> Charge:
    case.federation.send("stranger", case.client.commit(*case.updates[WRONGED]))
    kept = {0: case.leaves[0]}
    case.close(kept, commits=1)
    return case.blame(case.client.court.prove_missing_commit(1, WRONGED, EMPTY_LEAF, case.path(kept)))


def _early_close(case: _Case) -> Charge:
    kept = {0: case.leaves[0]}
    case.close(kept, early=True)
    return case.blame(case.client.court.prove_early_close(1, WRONGED, case.path(kept)))


def _forged_update(case: _Case) -> Charge:
    update, _ = case.updates[WRONGED]
    forged = update.sign(case.client.domain, account("aggregator"))
    leaves = {**case.leaves, WRONGED: update_leaf(update, forged).hash(case.client.domain.separator)}
    case.close(leaves)
    return case.blame(case.client.court.prove_forged_update(1, WRONGED, update, forged, case.path(leaves)))


def _wrong_header(case: _Case) -> Charge:
    found = case.propose(seed=b"\x01" * 32)
    return case.blame(case.client.court.prove_wrong_header(1, found.header), wronged=False)


def _wrong_basis(case: _Case) -> Charge:
    found = case.propose(basis=-1000)
    return case.blame(case.client.court.prove_wrong_basis(1, found.header, found.leaf, sum_tree_opening(found.sums, WRONGED)))


def _wrong_score(case: _Case) -> Charge:
    found = case.propose(score=-SCORE_TOTAL // 10)
    return case.blame(case.client.court.prove_wrong_score(1, found.header, found.leaf, sum_tree_opening(found.sums, WRONGED)))


def _wrong_total(case: _Case) -> Charge:
    found = case.propose(total=1000)
    proof = case.client.court.prove_wrong_total(1, found.header, found.leaf, sum_tree_opening(found.sums, WRONGED))
    return case.blame(proof, wronged=False)


def _contradiction(case: _Case) -> Charge:
    found, scorer, salt = case.propose(), account("scorer").address, b"\x11" * 32
    path = tree_proof({0: found.utility.hash(case.client.domain.separator)}, LIST_TREE_DEPTH, 0)
    case.federation.send("owner 5", case.client.court.dispute(1, found.header, found.utility, path, case.stake.dispute_bond))
    case.federation.send("scorer", case.client.court.seal_vote(0, scorer, b"", salt))
    case.federation.chain.advance(case.federation.config.rounds.vote_seconds)
    case.federation.send("scorer", case.client.court.reveal_vote(0, found.utility.payload(), b"", salt))
    return Charge(case.client.court.prove_contradiction(0, scorer), "scorer", "stranger", case.stake.scorer_bond)


FAULTS: dict[str, Callable[[_Case], Charge]] = {
    "a node signs two updates for one round": _double_update,
    "the aggregator breaks a receipt": _broken_receipt,
    "the aggregator leaves out a commitment on chain": _missing_commit,
    "the aggregator closes early": _early_close,
    "the aggregator forges an update": _forged_update,
    "the aggregator publishes a wrong header": _wrong_header,
    "the aggregator publishes a wrong basis": _wrong_basis,
    "the aggregator proposes a wrong score": _wrong_score,
    "the aggregator publishes a wrong total": _wrong_total,
    "a scorer votes against what it attested": _contradiction,
}
