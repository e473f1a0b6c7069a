"""A verdict's reason with its numbers, for the participant; read from the published leaves, so that anybody gets the same."""

from aggregator.evaluation.gate.fusion import log_likelihood_ratio
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, Statistic, Statistics
from aggregator.evaluation.gate.verdict import REASONS
from protocol.config import GateSection
from protocol.verdicts import Reason

_COPIES = (Reason.SIMILAR_TO_LOWER_INDEX, Reason.SIMILAR_TO_ANOTHER)
_STATISTIC_OF = {reason: statistic for statistic, reason in REASONS.items()}
_SUMMED = {Reason.UNDER_SUSPICION: "down_weight", Reason.SUSPECTED: "reject", Reason.EXPELLABLE: "expel"}
"""The threshold that the suspicion is past."""


def explain(reason: Reason, statistics: Statistics, reputation: int, gate: GateSection) -> str:
    """The reason's sentence, and what was measured against which threshold where the reason is one of measurement."""
    numbers = _numbers(reason, statistics, reputation, gate)
    return f"{reason.sentence} {numbers}" if numbers else reason.sentence


def _numbers(reason: Reason, statistics: Statistics, reputation: int, gate: GateSection) -> str:
    def value(statistic: Statistic) -> float:
        return statistics[statistic] / STATISTIC_UNIT

    if reason is Reason.CLIPPED and statistics[Statistic.ALLOWED]:
        return f"(Its length is {value(Statistic.NORM):.3g}; virtual honest nodes like it have {value(Statistic.ALLOWED):.3g}.)"
    if reason in (Reason.CLIPPED, Reason.NORM_TOO_LARGE):
        reference = f", the reference {value(Statistic.REFERENCE):.3g}" if statistics[Statistic.REFERENCE] else ""
        return f"(Its length is {value(Statistic.NORM):.3g}{reference}.)"
    if reason in _COPIES:
        return f"(Similarity {value(Statistic.DUPLICATE):.2f} of 1; independent nodes stay below {gate.duplicate / 1000:.2f}.)"
    if reason in _STATISTIC_OF:
        evidence = log_likelihood_ratio(statistics, gate) / STATISTIC_UNIT
        return (
            f"({value(_STATISTIC_OF[reason]):.1f} standard deviations beyond what is usual for virtual honest nodes; all "
            f"evidence of the round together {evidence:.1f} nats, the limit is {gate.reject_round / 1000:.1f}.)"
        )
    if reason in _SUMMED:
        limit = getattr(gate, _SUMMED[reason]) / 1000
        return f"(Suspicion {reputation / STATISTIC_UNIT:.1f} nats, the limit is {limit:.1f}.)"
    if reason is Reason.OUTSIDE_CALIBRATION:
        outside = value(Statistic.GUARD)
        return f"(The round is {outside:.1f} standard deviations outside calibration, the limit is {gate.guard / 1000:.1f}.)"
    return ""
