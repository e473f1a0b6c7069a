"""Settlement against its adversaries, on a real local chain with four scorers (f = 1): what each gains, in tokens and stake.

The aggregator's own scorer counts among the dishonest ones. An honest node's pay is half of the pool here.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.report import Goal, Row, row
from ledger.artifacts import ContractName
from ledger.contracts import contract_at
from ledger.errors import Reverted
from ledger.records import Call, RoundState
from protocol.config import parse_config
from protocol.shares import pack_scores
from protocol.trees import EMPTY_LEAF, NODE_TREE_DEPTH, tree_proof, tree_root
from protocol.typed_data import Domain, Receipt
from tests.support.chain import COIN, CONFIG, LocalChain, LocalFederation, account, founding

SCORERS = ("scorer", "owner 9", "owner 10", "owner 11")
HONEST, PADDED = (5_000_000, 5_000_000), (9_000_000, 1_000_000)
EVIDENCE, MODEL = b"\x03" * 32, b"\x04" * 32


def rows() -> list[Row]:
    """One row a case: tokens that the adversary holds beyond an honest node's, in percent of the pool."""
    with tempfile.TemporaryDirectory() as directory:
        template = Path(directory) / "template"
        with _federation(template) as federation:
            pool = federation.client.pool()
        found = []
        for name, play in CASES.items():
            place = Path(directory) / "".join(letter for letter in name if letter.isalnum())
            with _federation(place) as federation:
                gained = play(federation, place)
            found.append(row(name, "gain", 100 * gained / pool, "% of the pool", Goal(at_most=0)))
        with _federation(Path(directory) / "dropped") as federation:
            lost = _dropped_update(federation)
        case = "lying aggregator drops a rival's update that it gave a receipt for"
        return [*found, row(case, "gain in stake", lost, "coin", Goal(at_most=0))]


@contextmanager
def _federation(directory: Path) -> Iterator[LocalFederation]:
    config = parse_config(CONFIG)
    with LocalChain(directory) as chain:
        federation = LocalFederation.deployed(chain, config, founding(config, scorers=SCORERS))
        federation.join(0)
        federation.join(1)
        yield federation


def _closed(federation: LocalFederation, root: bytes = b"\x07" * 32) -> int:
    client = federation.client
    federation.send("aggregator", client.open_round(0, (bytes(32),), bytes(32)))
    federation.chain.advance(federation.config.rounds.commit_seconds)
    federation.send("aggregator", client.close_round(1, root))
    return 1


def _propose(
    federation: LocalFederation, scores: tuple[int, ...], signers: tuple[str, ...], domain: Domain | None = None
) -> bool:
    """Whether the chain takes these scores with these scorers' signatures."""
    packed = pack_scores(scores)
    attested = federation.attestation(1, EVIDENCE, MODEL, packed)
    in_order = sorted(signers, key=lambda name: int(account(name).address, 16))
    signatures = [attested.sign(domain or federation.client.domain, account(name)) for name in in_order]
    try:
        federation.send("stranger", federation.client.propose(1, EVIDENCE, MODEL, packed, signatures))
    except Reverted:
        return False
    return True


def _finish(federation: LocalFederation) -> int:
    """What node 0, the friend, holds beyond half of what was minted, once the round is decided and claimed."""
    client = federation.client
    federation.chain.advance(10 * federation.config.rounds.propose_seconds)
    if client.round(1).state is RoundState.FINAL:
        for node in (0, 1):
            _try(federation, client.claim(node, [1]))
            _try(federation, client.claim(node, [1]))
    return client.balance(account("owner 0").address) - client.pool() // 2 if client.total_supply() else 0


def _dropped_update(federation: LocalFederation) -> float:
    """The rival proves the broken receipt: what the aggregator's bond is worth less, in coin (negative)."""
    client, rival = federation.client, 1
    _closed(federation, tree_root({0: b"\x08" * 32}, NODE_TREE_DEPTH))
    receipt = Receipt(1, rival, b"\x09" * 32)
    signature = receipt.sign(client.domain, account("aggregator"))
    path = tree_proof({0: b"\x08" * 32}, NODE_TREE_DEPTH, rival)
    before = _bond(federation)
    federation.send("owner 1", client.court.prove_broken_receipt(receipt, signature, EMPTY_LEAF, path))
    return (_bond(federation) - before) / COIN


def _bond(federation: LocalFederation) -> int:
    registry = contract_at(federation.client.web3, federation.client.registry_address, ContractName.REGISTRY)
    return int(registry.functions.bondOf(account("aggregator").address).call()[0])


def _try(federation: LocalFederation, call: Call) -> None:
    with suppress(Reverted):
        federation.send("stranger", call)


def _few_sign_a_padded_score(colluding: int) -> Callable[[LocalFederation, Path], int]:
    def play(federation: LocalFederation, directory: Path) -> int:
        _closed(federation)
        _propose(federation, PADDED, SCORERS[:colluding])
        return _finish(federation)

    return play


def _honest_quorum(federation: LocalFederation, directory: Path) -> int:
    _closed(federation)
    if not _propose(federation, HONEST, SCORERS[1:]):
        raise RuntimeError("an honest quorum was refused: nothing here means anything")
    _propose(federation, PADDED, SCORERS[1:])
    return _finish(federation)


def _one_signs_twice(federation: LocalFederation, directory: Path) -> int:
    _closed(federation)
    _propose(federation, PADDED, (SCORERS[0], SCORERS[0], SCORERS[1]))
    return _finish(federation)


def _from_another_federation(federation: LocalFederation, directory: Path) -> int:
    _closed(federation)
    _propose(federation, PADDED, SCORERS[1:], Domain(1, federation.client.domain.ledger))
    return _finish(federation)


def _rolled_back(federation: LocalFederation, directory: Path) -> int:
    """The chain forgets the claims; everybody claims again."""
    _closed(federation)
    if not _propose(federation, HONEST, SCORERS[1:]):
        raise RuntimeError("an honest quorum was refused: nothing here means anything")
    federation.chain.advance(federation.config.rounds.window_seconds)
    before = directory / "copied"
    shutil.copytree(directory, before, ignore=shutil.ignore_patterns("copied"))
    _finish(federation)
    with LocalChain(before) as chain:
        chain.advance_to(federation.client.now())
        again = LocalFederation(chain, federation.config, federation.founding, federation.deployment)
        return _finish(again)


CASES: dict[str, Callable[[LocalFederation, Path], int]] = {
    "lying aggregator and f colluding scorers pad a friend's score": _few_sign_a_padded_score(1),
    "lying aggregator and f + 1 colluding scorers pad a friend's score": _few_sign_a_padded_score(2),
    "a second outcome is proposed after the first": _honest_quorum,
    "one scorer signs twice to make a quorum": _one_signs_twice,
    "replaying relayer: a quorum's signatures from another federation": _from_another_federation,
    "rollback after the claims, everybody claims again": _rolled_back,
}
