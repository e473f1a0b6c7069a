"""From statistics to one suspicion per node, by integer rules: a log-likelihood ratio, summed over rounds with forgetting.

Sources: CUSUM, Page (Biometrika 1954), with a forgetting factor as in Yashchin (1993); the ratio is a logistic regression of the
clipped statistics, fitted on simulated federations (docs/gate.md). Unit of every result: 2^-20 nats.
"""

from collections.abc import Mapping

from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, Statistic, Statistics
from protocol.config import GateSection

CHEAP = (
    Statistic.DUPLICATE,
    Statistic.SIZE,
    Statistic.CONE,
    Statistic.AFFINE,
    Statistic.FIT,
    Statistic.REPLAY,
    Statistic.ENERGY,
)
FUSED = (*CHEAP, Statistic.UTILITY, Statistic.OWN_CLASSES)

_LEAST, _MOST = -1 * STATISTIC_UNIT, 8 * STATISTIC_UNIT
"""What is more usual than usual in one respect must not make up for what is strange in another."""

_USUAL_REPLAY = 3 * STATISTIC_UNIT
"""What honest nodes often reach in it says nothing, what is beyond says the more."""

_STRANGE = (Statistic.FIT, Statistic.ENERGY)
_EXPLAINED = STATISTIC_UNIT
"""Deviations of them up to which the virtual nodes account for an update. Honest images that are mirrored or moved by two pixels
are at 2 to 5; flipped signs, inner-product manipulation and amplified updates, made of what honest nodes send, mostly below 1.
"""

_CAP = 1 << 40


def terms(statistics: Statistics, gate: GateSection) -> dict[Statistic, int]:
    """What each fused statistic adds: weight times its clipped value, of replay what is beyond the usual, of similarity what is
    beyond half the bound.
    """
    weights = gate.weights
    return {statistic: weights[statistic.name.lower()] * _clipped(statistic, statistics, gate) // 1000 for statistic in FUSED}


def log_likelihood_ratio(statistics: Statistics, gate: GateSection) -> int:
    """How much likelier the update is from a malicious node than from an honest one."""
    return sum(terms(statistics, gate).values()) - nats(gate.prior)


def is_grey(statistics: Statistics, gate: GateSection) -> bool:
    """Whether the cheap statistics alone leave a doubt that is worth the dear check."""
    found = terms(statistics, gate)
    return sum(found[statistic] for statistic in CHEAP) - nats(gate.prior) > -nats(gate.grey)


def is_explained(statistics: Statistics) -> bool:
    """Whether the update lies in what the virtual nodes span, on the parameters that they move.

    What does not may have been trained, in all honesty, on inputs of a kind that the root set has none of.
    """
    return all(statistics[statistic] <= _EXPLAINED for statistic in _STRANGE)


def advance(reputation: int, ratio: int, gate: GateSection, *, explained: bool) -> int:
    """A node's suspicion after a round: max(0, forgetting · suspicion + ratio), capped so that it fits its leaf.

    No round counts for more than what loses a round: one strange update, or two, are never enough to expel a node. Rounds that
    are not `explained` never are, however many: they add what `expel` loses in a round.
    """
    most = nats(gate.reject_round)
    if not explained:
        most = min(most, nats(gate.expel) * (1000 - gate.forgetting) // 1000)
    return min(_CAP, max(0, reputation * gate.forgetting // 1000 + min(ratio, most)))


def nats(thousandths: int) -> int:
    """A threshold of the config in the unit of this module."""
    return thousandths * STATISTIC_UNIT // 1000


def _clipped(statistic: Statistic, statistics: Statistics, gate: GateSection) -> int:
    value = statistics[statistic]
    if statistic is Statistic.DUPLICATE:
        return max(0, value - nats(gate.duplicate) // 2)
    if statistic is Statistic.REPLAY:
        return min(_MOST, max(0, value - _USUAL_REPLAY))
    return min(_MOST, max(_LEAST, value))


def strongest(statistics: Statistics, gate: GateSection) -> Statistic:
    """The statistic that adds most; of equal ones the first."""
    found: Mapping[Statistic, int] = terms(statistics, gate)
    return max(FUSED, key=lambda statistic: found[statistic])
