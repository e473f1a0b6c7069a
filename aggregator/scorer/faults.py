"""Faults that the chain judges alone, found in a round's evidence: each is one call with opened leaves, without bond or waiting.

An honest round has none: every rule here is one that `evaluate_round` and the aggregator's service keep exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

from ledger.client import LedgerClient
from ledger.records import Call, ChainRound, RoundState
from protocol.errors import SignatureError
from protocol.evidence import Evidence, Kind, Leaf, update_leaf
from protocol.openings import open_leaf
from protocol.roster import RosterEntry
from protocol.shares import SCORE_TOTAL, score_basis
from protocol.trees import EMPTY_LEAF, SumOpening, opened
from protocol.typed_data import Update

_PROPOSED = (RoundState.PROPOSED, RoundState.DISPUTED, RoundState.FINAL)
_CLOSED = (RoundState.CLOSED, *_PROPOSED, RoundState.VOID)


@dataclass(frozen=True)
class Fault:
    """One provable fault: what the Court calls it, what is wrong, and the call that proves it."""

    name: str
    sentence: str
    proof: Call


def provable_faults(evidence: Evidence, ledger: LedgerClient, number: int) -> Iterator[Fault]:
    """Every fault of the aggregator that this evidence proves against what the chain has, those of the update tree first."""
    on_chain = ledger.round(number)
    if on_chain.state in _CLOSED and _update_root(evidence) == on_chain.update_root:
        yield from _in_the_update_tree(evidence, ledger, on_chain)
    if on_chain.state in _PROPOSED and evidence.header.root() == on_chain.evidence_root:
        yield from _in_the_header(evidence, ledger, on_chain)
        yield from _in_the_pay(evidence, ledger, number)


def sum_opening(evidence: Evidence, node: int) -> SumOpening:
    """The opening of a place in the sum tree of score bases, as the Court takes it."""
    return opened(evidence.tree(Kind.CONTRIBUTION), node)


def _update_root(evidence: Evidence) -> bytes:
    return evidence.header.roots[list(Kind).index(Kind.UPDATE)]


def _in_the_update_tree(evidence: Evidence, ledger: LedgerClient, on_chain: ChainRound) -> Iterator[Fault]:
    number, federation, court = on_chain.round, ledger.domain.separator, ledger.court
    leaves, roster = evidence.by_kind[Kind.UPDATE], {entry.node: entry for entry in ledger.roster(number)}
    for node, leaf in sorted(leaves.items()):
        *fields, signature = leaf.values
        if not _is_genuine(leaf, roster.get(node), ledger):
            path = open_leaf(evidence, Kind.UPDATE, node).siblings
            proof = court.prove_forged_update(number, node, Update(*fields), signature, path)
            yield Fault("ForgedUpdate", f"node {node} did not sign its UPDATE leaf", proof)
    for update, signature in ledger.commits(number):
        node, found = update.node, leaves.get(update.node)
        if found != update_leaf(update, signature):
            slot = EMPTY_LEAF if found is None else found.hash(federation)
            proof = court.prove_missing_commit(number, node, slot, open_leaf(evidence, Kind.UPDATE, node).siblings)
            yield Fault("MissingCommit", f"what node {node} committed to on chain is not in the update tree", proof)
    if on_chain.closed_early:
        for node in sorted(roster.keys() - leaves.keys()):
            proof = court.prove_early_close(number, node, open_leaf(evidence, Kind.UPDATE, node).siblings)
            yield Fault("EarlyClose", f"closed before the deadline, though node {node} had not committed", proof)


def _is_genuine(leaf: Leaf, entry: RosterEntry | None, ledger: LedgerClient) -> bool:
    *fields, signature = leaf.values
    update = Update(*fields)
    try:
        signer = update.signer(ledger.domain, signature)
    except SignatureError:
        return False
    return entry is not None and signer == entry.signer and update.node == leaf.position


def _in_the_header(evidence: Evidence, ledger: LedgerClient, on_chain: ChainRound) -> Iterator[Fault]:
    header = evidence.header
    claimed = (header.federation, header.round, header.inputs, header.seed, _update_root(evidence))
    if claimed != (ledger.domain.separator, on_chain.round, on_chain.inputs, on_chain.seed, on_chain.update_root):
        proof = ledger.court.prove_wrong_header(on_chain.round, header)
        yield Fault("WrongHeader", "the header contradicts what the chain fixed", proof)


def _in_the_pay(evidence: Evidence, ledger: LedgerClient, number: int) -> Iterator[Fault]:
    header, leaves, scores, court = evidence.header, evidence.by_kind[Kind.CONTRIBUTION], ledger.scores(number), ledger.court
    for node, leaf in sorted(leaves.items()):
        if not _follows(evidence, leaf):
            proof = court.prove_wrong_basis(number, header, leaf, sum_opening(evidence, node))
            yield Fault("WrongBasis", f"standard error or basis of node {node} does not follow from its leaf", proof)
    if leaves and sum(leaf.get("basis") for leaf in leaves.values()) != header.total_basis:
        proof = court.prove_wrong_total(number, header, leaves[min(leaves)], sum_opening(evidence, min(leaves)))
        yield Fault("WrongTotal", f"the bases do not sum to the header's {header.total_basis}", proof)
    for node in range(max(len(scores), 1 + max(leaves, default=-1))):
        score, found = scores[node] if node < len(scores) else 0, leaves.get(node)
        basis = 0 if found is None else found.get("basis")
        if _is_due(score, basis, header.total_basis):
            continue
        sentence = f"score {score} of node {node} does not follow from basis {basis} of {header.total_basis}"
        opening = sum_opening(evidence, node)
        if found is None:
            yield Fault("UnfoundedScore", sentence, court.prove_unfounded_score(number, header, node, opening))
        else:
            yield Fault("WrongScore", sentence, court.prove_wrong_score(number, header, found, opening))


def _follows(evidence: Evidence, leaf: Leaf) -> bool:
    header, error = evidence.header, leaf.get("standard_error")
    if error != isqrt(leaf.get("sampling_error") ** 2 + leaf.get("estimation_error") ** 2):
        return False
    gained = header.utility_all - header.utility_empty > header.tolerances[4]
    due = score_basis(leaf.get("contribution"), error, header.z_thousandths) if gained else 0
    return bool(leaf.get("basis") == due)


def _is_due(score: int, basis: int, total: int) -> bool:
    """Whether largest remainders can have given this score: |score·T − S·basis| < T, and nothing where T = 0."""
    return score == 0 if total == 0 else abs(score * total - SCORE_TOTAL * basis) < total
