"""Where a verdict is decided. Integer rules over published facts and statistics, so that everybody decides alike.

To add a check: measure it in a module beside this one, name its reason in protocol/verdicts.py, add both to `REASONS` here and to
`fusion.FUSED`, and give it a weight in the config's gate section. A fact that needs no statistic goes into `hard_faults`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregator.evaluation.gate.fusion import advance, is_explained, log_likelihood_ratio, nats, strongest
from aggregator.evaluation.gate.inspection import Inspection
from aggregator.evaluation.gate.statistics import Statistic, Statistics
from protocol.config import GateSection
from protocol.verdicts import Reason, Verdict

FULL_WEIGHT = 1 << 16
"""d_i = 1, in its unit of 2^-16."""

REASONS = {
    Statistic.DUPLICATE: Reason.SIMILAR_TO_ANOTHER,
    Statistic.SIZE: Reason.UNUSUAL_NORM,
    Statistic.CONE: Reason.OUTSIDE_CONE,
    Statistic.AFFINE: Reason.AGAINST_TRAINING,
    Statistic.FIT: Reason.UNEXPLAINED,
    Statistic.REPLAY: Reason.REPEATS_PARENT,
    Statistic.UTILITY: Reason.NO_CLASS_GAINS,
    Statistic.OWN_CLASSES: Reason.HARMS_OWN_CLASSES,
    Statistic.ENERGY: Reason.UNUSUAL_PARAMETERS,
}
"""What the statistic that weighs most is called when a round's evidence is enough to refuse an update."""


@dataclass(frozen=True)
class Claimed:
    """What a node signed about its update, and what it was invited with."""

    samples: int
    max_samples: int


@dataclass(frozen=True)
class Decision:
    """The verdict about one update.

    `weight` is d_i in units of 2^-16, zero if and only if the update is in no coalition. `reputation` is the suspicion that the
    node carries on, in units of 2^-20 nats; None for a node of which nothing was ever measured.
    """

    verdict: Verdict
    reason: Reason
    weight: int
    reputation: int | None


def decide(
    claimed: Mapping[int, Claimed],
    inspections: Mapping[int, Inspection],
    statistics: Mapping[int, Statistics],
    reputation: Mapping[int, int],
    gate: GateSection,
) -> dict[int, Decision]:
    """The gate's decision for every node that committed, by node index.

    `statistics` must hold every node whose inspection found no fault. `reputation` as the parent left it; the first round of a
    federation, which carries none, has no new nodes.
    """
    faults = hard_faults(claimed, inspections)
    faults |= norm_faults(faults, statistics, gate)
    reference = reference_norm(faults, statistics)
    decisions = {}
    for node, fault in faults.items():
        carried = reputation.get(node)
        if fault is None or fault is Reason.SAME_AS_LOWER_INDEX:
            measured = statistics[node]
            weight = _clipped(measured[Statistic.NORM], measured[Statistic.ALLOWED] or reference)
            decisions[node] = _judged(fault, measured, weight, carried, bool(reputation), gate)
        else:
            # A broken body or connection is no evidence of malice: it costs this round, and the suspicion stays as it was.
            verdict = Verdict.ABSENT if fault is Reason.NO_BODY else Verdict.REJECT
            decisions[node] = Decision(verdict, fault, 0, carried)
    return decisions


def hard_faults(claimed: Mapping[int, Claimed], inspections: Mapping[int, Inspection]) -> dict[int, Reason | None]:
    """What can be said without any statistic, for every node that committed, ascending."""
    faults = {node: _hard_fault(claimed[node], inspections[node]) for node in sorted(claimed)}
    first_with: dict[bytes, int] = {}
    for node in sorted(claimed):
        if faults[node] is None and first_with.setdefault(inspections[node].fingerprint, node) != node:
            faults[node] = Reason.SAME_AS_LOWER_INDEX
    return faults


def norm_faults(
    faults: Mapping[int, Reason | None], statistics: Mapping[int, Statistics], gate: GateSection
) -> dict[int, Reason | None]:
    """Of the nodes that are usable or copies so far, those whose update is nothing or far too long."""
    reference = reference_norm(faults, statistics)
    found: dict[int, Reason | None] = {}
    for node, fault in faults.items():
        if fault is None or fault is Reason.SAME_AS_LOWER_INDEX:
            length = statistics[node][Statistic.NORM]
            if 1000 * length > gate.norm_multiple * reference:
                found[node] = Reason.NORM_TOO_LARGE
            elif length == 0:
                found[node] = Reason.NO_CHANGE
    return found


def reference_norm(faults: Mapping[int, Reason | None], statistics: Mapping[int, Statistics]) -> int:
    """What lengths are compared with: the virtual norms' upper quartile; without virtual nodes, the usable updates' median.

    Norms that nodes send are not trusted so far as to take a quartile of them.

    Copies and nodes with a hard fault must not move what the others are measured against.
    """
    usable = [statistics[node] for node, fault in faults.items() if fault is None]
    published = next((values[Statistic.REFERENCE] for values in usable), 0)
    return published or median_norm(values[Statistic.NORM] for values in usable)


def median_norm(norms: Iterable[int]) -> int:
    """The median of the non-zero norms, the lower of two middle ones; zero if there is none."""
    return _ranked(norms, 1, 2)


def upper_quartile_norm(norms: Iterable[int]) -> int:
    """The upper quartile of the non-zero norms, the lower of the two that it falls between; zero if there is none."""
    return _ranked(norms, 3, 4)


def _ranked(norms: Iterable[int], share: int, of: int) -> int:
    moving = sorted(norm for norm in norms if norm > 0)
    return moving[(len(moving) - 1) * share // of] if moving else 0


def _hard_fault(claimed: Claimed, inspection: Inspection) -> Reason | None:
    if inspection.fault is not None:
        return inspection.fault
    if claimed.samples == 0:
        return Reason.NO_SAMPLES
    if claimed.samples > claimed.max_samples:
        return Reason.TOO_MANY_SAMPLES
    return None


def _clipped(length: int, reference: int) -> int:
    # An accepted update always keeps some weight, or the sum of all weights could be zero.
    return FULL_WEIGHT if length <= reference else max(1, FULL_WEIGHT * reference // length)


def _judged(
    fault: Reason | None, measured: Statistics, weight: int, carried: int | None, has_history: bool, gate: GateSection
) -> Decision:
    ratio = log_likelihood_ratio(measured, gate)
    uncalibrated = measured[Statistic.GUARD] > nats(gate.guard)
    # Outside calibration evidence may clear a node, never incriminate it: nobody can be expelled.
    suspicion = advance(carried or 0, min(ratio, 0) if uncalibrated else ratio, gate, explained=is_explained(measured))
    if fault is not None:
        return Decision(Verdict.DUPLICATE, fault, 0, suspicion)
    if measured[Statistic.DUPLICATE_LOWER] > nats(gate.duplicate):
        return Decision(Verdict.DUPLICATE, Reason.SIMILAR_TO_LOWER_INDEX, 0, suspicion)
    reason = None
    if suspicion > nats(gate.expel):
        reason = Reason.EXPELLABLE
    elif ratio > nats(gate.reject_round):
        reason = REASONS[strongest(measured, gate)]
    elif suspicion > nats(gate.reject):
        reason = Reason.SUSPECTED
    quarantined = max(1, weight * gate.quarantine_weight // 1000)
    if reason is not None and uncalibrated:
        return Decision(Verdict.QUARANTINE, Reason.OUTSIDE_CALIBRATION, quarantined, suspicion)
    if reason is not None:
        return Decision(Verdict.REJECT, reason, 0, suspicion)
    if suspicion > nats(gate.down_weight):
        span = nats(gate.reject) - nats(gate.down_weight)
        lowered = max(1, weight * (nats(gate.reject) - suspicion) // span)
        return Decision(Verdict.DOWN_WEIGHT, Reason.UNDER_SUSPICION, lowered, suspicion)
    if has_history and carried is None:
        return Decision(Verdict.QUARANTINE, Reason.NEW_NODE, quarantined, suspicion)
    return Decision(Verdict.ACCEPT, Reason.OK if weight == FULL_WEIGHT else Reason.CLIPPED, weight, suspicion)
