"""A disputed leaf computed again: what a scorer seals and reveals, and the chain compares with the published payload."""

from dataclasses import replace

from aggregator.evaluation.evidence import build_evidence, published_measurements
from aggregator.evaluation.round import RoundInputs, evaluate_round
from protocol.errors import EvidenceError
from protocol.evidence import LEAF_KINDS, Evidence, Kind, Leaf

_MEASURED = (Kind.STATISTICS, Kind.UTILITY, Kind.ESTIMATE)
_FROM_FLOATS = ("contribution", "sampling_error", "estimation_error")


def recomputed(inputs: RoundInputs, published: Evidence, kind: Kind, position: int) -> bytes:
    """The payload that the leaf should have; no bytes if there should be no such leaf.

    What is derived follows from the published figures, as in a replay; what is toleranced is this machine's own.
    """
    try:
        outcome = evaluate_round(inputs, published_measurements(published))
    except EvidenceError:  # the published figures are not even for the right nodes and coalitions
        outcome = evaluate_round(inputs)
    derived = build_evidence(inputs, outcome).by_kind[kind].get(position)
    if kind not in (*_MEASURED, Kind.CONTRIBUTION):
        return b"" if derived is None else derived.payload()
    own = build_evidence(inputs, replace(outcome, published=outcome.measured)).by_kind[kind].get(position)
    if kind is Kind.CONTRIBUTION and derived is not None:
        errors = outcome.measured.contributions.errors[position]
        contribution = outcome.measured.contributions.solved.get(position, derived.get("contribution"))
        mine = dict(zip(_FROM_FLOATS, (contribution, errors.sampling, errors.estimation), strict=True))
        names = [name for _, name in LEAF_KINDS[kind].fields]
        own = Leaf(kind, position, tuple(mine.get(name, derived.get(name)) for name in names))
    return b"" if own is None else own.payload()
