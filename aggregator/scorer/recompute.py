"""A disputed round computed again: what scorers seal and reveal of a leaf, and the chain compares with the published payload."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from aggregator.evaluation.contributions.round_game import EVALUATORS
from aggregator.evaluation.evidence import build_evidence, published_measurements
from aggregator.evaluation.round import RoundInputs, RoundOutcome, evaluate_round
from protocol.errors import EvidenceError
from protocol.evidence import LEAF_KINDS, Evidence, Header, Kind, Leaf

Payloads = Mapping[tuple[Kind, int], bytes]
"""What the leaves of a round should hold, by kind and position."""

_MEASURED = (Kind.STATISTICS, Kind.UTILITY, Kind.ESTIMATE)
_FROM_FLOATS = ("contribution", "sampling_error", "estimation_error")
_SUMMARIES = ("roots", "total_basis")


def recompute(inputs: RoundInputs, published: Evidence) -> Payloads:
    """The payload that every leaf of the round should have.

    What is derived follows from the published figures, as in a replay; what is toleranced is this machine's own. There are none
    at all if the evidence lies in what is no leaf, which nobody can dispute by itself: then no leaf is as it should be, and
    whichever is disputed stands for the lie.
    """
    try:
        outcome = evaluate_round(inputs, published_measurements(published))
    except EvidenceError:  # the published figures are not even for the right nodes and coalitions
        return {}
    derived = build_evidence(inputs, outcome)
    if _lies_outside_its_leaves(published, derived):
        return {}
    own = build_evidence(inputs, replace(outcome, published=outcome.measured))
    should_be = {(leaf.kind, leaf.position): leaf.payload() for leaf in derived.leaves if leaf.kind not in _MEASURED}
    should_be |= {(leaf.kind, leaf.position): leaf.payload() for leaf in own.leaves if leaf.kind in _MEASURED}
    should_be |= {(leaf.kind, leaf.position): leaf.payload() for leaf in _contributions(derived, outcome)}
    if outcome.measured.contributions.evaluator == EVALUATORS["integer"]:
        # The chain would let a tolerance pass that these utilities do not have.
        for at, leaf in published.by_kind[Kind.UTILITY].items():
            if should_be.get((Kind.UTILITY, at)) != leaf.payload():
                should_be[Kind.UTILITY, at] = b""
    return should_be


def _contributions(derived: Evidence, outcome: RoundOutcome) -> Iterator[Leaf]:
    """What comes from floats is this machine's own; standard error and basis follow from the published figures."""
    own = outcome.measured.contributions
    names = [name for _, name in LEAF_KINDS[Kind.CONTRIBUTION].fields]
    for node, leaf in derived.by_kind[Kind.CONTRIBUTION].items():
        figures = (own.solved.get(node, leaf.get("contribution")), *own.errors[node])
        mine = dict(zip(_FROM_FLOATS, figures, strict=True))
        yield Leaf(Kind.CONTRIBUTION, node, tuple(mine.get(name, leaf.get(name)) for name in names))


def _lies_outside_its_leaves(published: Evidence, derived: Evidence) -> bool:
    """Whether a field of the header does not follow, a tree lacks a leaf, or hashes to what its leaves do not."""
    if any(
        getattr(published.header, entry.name) != getattr(derived.header, entry.name)
        for entry in fields(Header)
        if entry.name not in _SUMMARIES
    ):
        return True
    for kind, promised, found in zip(Kind, published.header.roots, derived.header.roots, strict=True):
        theirs, ours = published.by_kind[kind], derived.by_kind[kind]
        if ours.keys() - theirs.keys() or (promised != found and theirs == ours):
            return True
    return False
