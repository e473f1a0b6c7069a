"""Where a verdict is decided. Integer rules over published facts and statistics, so that everybody decides alike.

To add a check: measure it in a module beside this one, name its reason in protocol/verdicts.py, and add it to `_verdict`,
cheapest first. Nothing else needs to know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregator.evaluation.gate.inspection import Inspection
from aggregator.evaluation.gate.statistics import Statistic, Statistics
from protocol.verdicts import Reason, Verdict

FULL_WEIGHT = 1 << 16
"""d_i = 1, in its unit of 2^-16."""


@dataclass(frozen=True)
class Claimed:
    """What a node signed about its update, and what it was invited with."""

    samples: int
    max_samples: int


@dataclass(frozen=True)
class Decision:
    """The verdict about one update. `weight` is d_i in units of 2^-16, zero if and only if the update is in no coalition."""

    verdict: Verdict
    reason: Reason
    weight: int


def decide(
    claimed: Mapping[int, Claimed],
    inspections: Mapping[int, Inspection],
    statistics: Mapping[int, Statistics],
    norm_multiple: int,
) -> dict[int, Decision]:
    """The gate's decision for every node that committed, by node index.

    `statistics` must hold every node whose inspection found no fault. `norm_multiple`: thousandths of the reference norm
    above which an update is refused.
    """
    # Nodes with a hard fault, and copies, must not move the reference that the others are measured against.
    faults = {node: _hard_fault(claimed[node], inspections[node]) for node in sorted(claimed)}
    first_with: dict[bytes, int] = {}
    for node in sorted(claimed):
        if faults[node] is None and first_with.setdefault(inspections[node].fingerprint, node) != node:
            faults[node] = Reason.SAME_AS_LOWER_INDEX
    norms = {node: statistics[node][Statistic.NORM] for node, fault in faults.items() if fault is None}
    reference = reference_norm(norms.values())
    return {node: _verdict(fault, norms.get(node, 0), reference, norm_multiple) for node, fault in faults.items()}


def reference_norm(norms: Iterable[int]) -> int:
    """The median of the non-zero norms, the lower of two middle ones; zero if there is none."""
    moving = sorted(norm for norm in norms if norm > 0)
    return moving[(len(moving) - 1) // 2] if moving else 0


def _hard_fault(claimed: Claimed, inspection: Inspection) -> Reason | None:
    if inspection.fault is not None:
        return inspection.fault
    if claimed.samples == 0:
        return Reason.NO_SAMPLES
    if claimed.samples > claimed.max_samples:
        return Reason.TOO_MANY_SAMPLES
    return None


def _verdict(fault: Reason | None, norm: int, reference: int, norm_multiple: int) -> Decision:
    if fault is Reason.NO_BODY:
        return Decision(Verdict.ABSENT, fault, 0)
    if fault is Reason.SAME_AS_LOWER_INDEX:
        return Decision(Verdict.DUPLICATE, fault, 0)
    if fault is not None:
        return Decision(Verdict.REJECT, fault, 0)
    if 1000 * norm > norm_multiple * reference:
        return Decision(Verdict.REJECT, Reason.NORM_TOO_LARGE, 0)
    if norm == 0:
        return Decision(Verdict.ACCEPT, Reason.NO_CHANGE, FULL_WEIGHT)
    if norm > reference:
        # An accepted update always keeps some weight, or the sum of all weights could be zero.
        return Decision(Verdict.ACCEPT, Reason.CLIPPED, max(1, FULL_WEIGHT * reference // norm))
    return Decision(Verdict.ACCEPT, Reason.OK, FULL_WEIGHT)
