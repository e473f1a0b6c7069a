"""Checking one round's pay from what anyone may see: every step from the node's own commitment to its tokens.

The chain holds the evidence root; the header hashes to it, the leaves hash to the header, and pay follows from the leaves by
integer rules (`protocol.shares`), which are applied here again. What needs data that only scorers see cannot be checked so,
and is named.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ledger.client import LedgerClient
from ledger.records import ChainRound, RoundState
from node.errors import AggregatorFault, NoSuchRound, NothingToVerify
from node.home import NodeHome
from node.membership import own_node
from node.settings import NodeSettings
from node.store import RoundRecord, RoundStore
from node.terms import Pair, fetch_terms, opened_with
from node.verification import bound_inputs
from protocol.api import RoundView
from protocol.client import FederationClient
from protocol.config import FederationConfig
from protocol.evidence import LEAF_KINDS, Access, Evidence, Input, Kind, Leaf, subtree_roots, update_leaf
from protocol.shares import SCORE_TOTAL, gain_tolerance, largest_remainder, score_basis

NOT_CHECKED = (
    "that each verdict follows from the update: bodies are seen by scorers only, who replay the gate",
    "that each contribution follows from the models: that takes all updates and the evaluation data, which scorers replay",
    "that the scorers who attested are honest: 2f + 1 of 3f + 1 have to be",
)


@dataclass(frozen=True)
class Checked:
    """One step. `found` says what was compared, with its figures."""

    step: str
    holds: bool
    found: str

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """What the steps compare: what the aggregator served, the chain, and what this node itself knows of the round.

    The round opened with `terms`, `config` among them, and `is_accepted` says whether they were accepted here.
    """

    evidence: Evidence
    view: RoundView
    on_chain: ChainRound
    ledger: LedgerClient
    terms: Pair
    config: FederationConfig
    is_accepted: bool
    node: int
    record: RoundRecord | None

    def leaf(self, kind: Kind, position: int) -> Leaf | None:
        """An open leaf."""
        return self.evidence.by_kind[kind].get(position)


def gather(home: NodeHome, settings: NodeSettings, ledger: LedgerClient, number: int) -> Case:
    """Fetch everything that is compared.

    Raises `NoSuchRound`, `NothingToVerify` unless the round is proposed or Final, `NotJoined`, `EvidenceError` if what is
    served is no evidence at all, and what client and ledger raise.
    """
    node, last = own_node(home, ledger).node, ledger.last_round()
    if not 1 <= number <= last:
        raise NoSuchRound(number, last)
    on_chain = ledger.round(number)
    if on_chain.state not in (RoundState.PROPOSED, RoundState.DISPUTED, RoundState.FINAL):
        raise NothingToVerify(number, str(on_chain.state))
    store = RoundStore(home.store, ledger.domain.separator)
    try:
        record = store.find(number)
    finally:
        store.close()
    with FederationClient(settings.federation_url) as client:
        evidence, view, pair = client.evidence(number), client.round(number), opened_with(ledger, number)
        accepted = home.accepted(*pair)
        config = (accepted or fetch_terms(client, ledger, pair)).config
    return Case(evidence, view, on_chain, ledger, pair, config, accepted is not None, node, record)


def check(case: Case) -> tuple[Checked, ...]:
    """All steps, in their order; one that does not hold does not keep the others from being checked."""
    steps = (_terms, _header, _open_leaves, _update_root, _inclusion, _verdicts, _bases, _scores, _tokens)
    return tuple(step(case) for step in steps)


def _terms(case: Case) -> Checked:
    try:
        bound_inputs(case.view, case.on_chain, case.terms)
    except AggregatorFault as fault:
        return Checked("terms", False, str(fault))
    whose = "you accepted" if case.is_accepted else "the chain has for it, which were not accepted here"
    return Checked("terms", True, f"the round was opened with the config and the task that {whose}")


def _header(case: Case) -> Checked:
    header, chain = case.evidence.header, case.on_chain
    served = (header.root(), header.federation, header.round, header.inputs, header.seed)
    bound = (chain.evidence_root, case.ledger.domain.separator, chain.round, chain.inputs, chain.seed)
    return Checked("header", served == bound, f"evidence root 0x{served[0].hex()}, the chain has 0x{bound[0].hex()}")


def _open_leaves(case: Case) -> Checked:
    """Every tree whose leaves are all open hashes to its root in the header."""
    header = case.evidence.header
    roots, total = subtree_roots(header.federation, case.evidence.leaves)
    public = [kind for kind in Kind if LEAF_KINDS[kind].access is Access.ANYONE]
    found, promised = dict(zip(Kind, roots, strict=True)), dict(zip(Kind, header.roots, strict=True))
    wrong = [kind.name.lower() for kind in public if found[kind] != promised[kind]]
    if total != header.total_basis:
        wrong.append("sum of bases")
    names = ", ".join(kind.name.lower() for kind in public)
    return Checked("open leaves", not wrong, f"not what the header promises: {', '.join(wrong)}" if wrong else f"all of: {names}")


def _update_root(case: Case) -> Checked:
    promised = dict(zip(Kind, case.evidence.header.roots, strict=True))[Kind.UPDATE]
    commits = len(case.evidence.by_kind[Kind.UPDATE])
    found = f"{commits} commitments under 0x{promised.hex()}, closed on chain as 0x{case.on_chain.update_root.hex()}"
    return Checked("update root", promised == case.on_chain.update_root, found)


def _inclusion(case: Case) -> Checked:
    """The leaf at our place is the Update that we signed; or there is none, if we signed none."""
    leaf, record = case.leaf(Kind.UPDATE, case.node), case.record
    own = record is not None and record.update.inputs == case.on_chain.inputs and record.signature is not None
    if not own or record is None or record.signature is None:
        found = "there is one that this directory never signed" if leaf else "none is in it, and this directory signed none"
        return Checked("your commitment", leaf is None, found)
    if leaf is None:
        on_chain = any(case.ledger.commit_of(case.on_chain.round, case.node))
        promise = "it is on chain" if on_chain else "the receipt proves that it was promised" if record.receipt else ""
        return Checked("your commitment", not promise, f"it is missing; {promise or 'no receipt promised it'}")
    same = leaf == update_leaf(record.update, record.signature)
    return Checked("your commitment", same, "it is in it, as it was signed" if same else "another one than was signed is in it")


def _verdicts(case: Case) -> Checked:
    """Exactly the accepted updates have a contribution."""
    verdicts, contributions = case.evidence.by_kind[Kind.VERDICT], case.evidence.by_kind[Kind.CONTRIBUTION]
    accepted = {node for node, leaf in verdicts.items() if leaf.get("weight")}
    holds = accepted == set(contributions) and set(verdicts) == set(case.evidence.by_kind[Kind.UPDATE])
    return Checked("verdicts", holds, f"{len(verdicts)} verdicts, {len(accepted)} accepted, {len(contributions)} contributions")


def _bases(case: Case) -> Checked:
    """Every basis follows from contribution and standard error; all are zero if the model gained nothing."""
    header, config = case.evidence.header, case.config
    if header.z_thousandths != config.pay.z:
        return Checked("bases", False, f"z is {header.z_thousandths}, the config says {config.pay.z} thousandths")
    shards = sum(position >= Input.FIRST_SHARD for position in case.evidence.by_kind[Kind.INPUT])
    gain = header.utility_all - header.utility_empty
    pays = gain > gain_tolerance(shards, config.tolerance.utility)
    wrong = [
        node
        for node, leaf in case.evidence.by_kind[Kind.CONTRIBUTION].items()
        if leaf.get("basis") != (_basis(leaf, header.z_thousandths) if pays else 0)
    ]
    if wrong:
        return Checked("bases", False, f"those of nodes {', '.join(map(str, wrong))} do not follow from their contributions")
    own = case.leaf(Kind.CONTRIBUTION, case.node)
    yours = f"yours is {own.get('basis')} from a contribution of {own.get('contribution')}" if own else "you have none"
    return Checked("bases", True, f"all follow from the contributions; {yours}, over {header.denominator}")


def _basis(leaf: Leaf, z_thousandths: int) -> int:
    return score_basis(leaf.get("contribution"), leaf.get("standard_error"), z_thousandths)


def _scores(case: Case) -> Checked:
    """Scores are the largest-remainder shares of the bases, in the evidence and on chain."""
    leaves = case.evidence.by_kind[Kind.CONTRIBUTION]
    shares = largest_remainder([leaves[node].get("basis") for node in sorted(leaves)])
    derived = {node: share for node, share in zip(sorted(leaves), shares, strict=True) if share}
    published = {node: leaf.get("score") for node, leaf in case.evidence.by_kind[Kind.SCORE].items() if leaf.get("score")}
    chain = {node: score for node, score in enumerate(case.ledger.scores(case.on_chain.round)) if score}
    differing = sorted(
        node for node in {*derived, *published, *chain} if len({m.get(node) for m in (derived, published, chain)}) > 1
    )
    if differing:
        return Checked("scores", False, f"bases, evidence and chain do not agree on nodes {', '.join(map(str, differing))}")
    return Checked("scores", True, f"all follow from the bases; yours is {chain.get(case.node, 0):,} of {SCORE_TOTAL:,}")


def _tokens(case: Case) -> Checked:
    score, pool = case.ledger.score(case.on_chain.round, case.node), case.ledger.pool()
    due, reward = score * (pool // SCORE_TOTAL), case.ledger.reward(case.on_chain.round, case.node)
    return Checked("tokens", due == reward, f"{score} × {pool // SCORE_TOTAL} = {due} base units, the chain pays {reward}")
