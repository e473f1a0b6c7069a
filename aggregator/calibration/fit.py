"""Fusion weights and thresholds from paths: logistic regression first, then quantiles of what honest nodes reach.

The gate's sum of weights times clipped statistics, less the prior, is then the log-likelihood ratio of a node that attacks to one
that does not. Weights are never negative: a statistic is larger the more suspicious the update, and must not buy innocence.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from aggregator.calibration.paths import Path
from aggregator.evaluation.gate.fusion import CHEAP, FUSED, advance, nats, terms
from aggregator.evaluation.gate.inspection import Inspection
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT
from aggregator.evaluation.gate.verdict import Claimed, Decision, decide
from protocol.config import GateSection

_PENALTY = 0.01
_HONEST_COUNTS = 3
"""An honest row counts this many times an attacking one: the fit is to be good where false alarms are rare."""

_BY_ONE_ROUND = 0.001
"""Of honest node-rounds, those that one round's evidence may cost."""

_BY_SUSPICION = 0.0005
"""Those that suspicion may cost. It costs an honest node several in a row, of which all but the first are for being suspected."""

_DEAR_MISSED = 0.01
_DOWN_WEIGHT = 0.8
_EXPEL_MARGIN = 3.0
"""Times what the worst honest node reached."""

_EXPEL_REACH = 0.7
"""Of the suspicion that a node comes to which attacks in every round: above it nobody could ever be expelled."""

_LEAST = 500
_CLAIMED = {0: Claimed(1, 1)}
_USABLE = {0: Inspection(None, bytes(32), {})}

Values = NDArray[np.int64]


def fit(paths: Sequence[Path], gate: GateSection) -> GateSection:
    """The section with weights, prior and thresholds fitted to `paths`; everything else stays.

    Raises `ValueError` if there is no honest or no attacking node-round among them.
    """
    values = [fused_values(path, gate) for path in paths]
    weights, prior = _logistic(*_training_set(paths, values))
    chosen = {f"weight_{statistic.name.lower()}": _thousandths(weight) for statistic, weight in zip(FUSED, weights, strict=True)}
    fitted = gate.model_copy(update={**chosen, "prior": _thousandths(prior)})
    return _with_thresholds(fitted, paths, values)


@lru_cache(maxsize=1 << 16)  # leave-one-out fits ask for the same paths again and again
def fused_values(path: Path, gate: GateSection) -> Values:
    """What the fusion multiplies by its weights, in units of 2^-20: shape (rounds, statistics)."""
    unit = gate.model_copy(update={f"weight_{name}": 1000 for name in gate.weights})
    found = [[terms(tuple(row), unit)[statistic] for statistic in FUSED] for row in path.statistics.tolist()]
    return np.array(found, np.int64).reshape(-1, len(FUSED))


def ratios(values: Values, gate: GateSection) -> Values:
    """The evidence of each round, as `log_likelihood_ratio` gives it row by row, shape (rounds,)."""
    weights = np.array([gate.weights[statistic.name.lower()] for statistic in FUSED], np.int64)
    found: Values = (weights * values // 1000).sum(axis=1) - nats(gate.prior)
    return found


def judged(path: Path, gate: GateSection) -> list[Decision]:
    """The verdicts that the gate would have given on the path's statistics, from no suspicion on."""
    found: list[Decision] = []
    reputation: dict[int, int] = {}
    for row in path.statistics.tolist():
        decision = decide(_CLAIMED, _USABLE, {0: tuple(row)}, reputation, gate)[0]
        reputation = {0: decision.reputation or 0}
        found.append(decision)
    return found


def _training_set(
    paths: Sequence[Path], values: Sequence[Values]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Rows of values in nats per weight, whether they are attacks, and what each row counts.

    Honest rows together count `_HONEST_COUNTS` times what attacking ones do, and every attack the same as any other.
    """
    rows, attacking, groups = [], [], []
    for path, own in zip(paths, values, strict=True):
        # A malicious node that behaves is neither what the gate looks for nor what it must spare. And what its norm has settled
        # was measured no further: its zeros would teach that nothing is suspicious.
        taught = _measured(path) & path.attacking if path.malicious else _measured(path)
        rows.append(own[taught] / STATISTIC_UNIT)
        attacking.append(path.attacking[taught])
        groups += [path.scenario.attack if path.malicious else ""] * int(taught.sum())
    truth = np.concatenate(attacking) if attacking else np.zeros(0, bool)
    if truth.all() or not truth.any():
        raise ValueError("calibration needs rounds of honest nodes and rounds of attackers; one of them is missing")
    names, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    share = np.where(names == "", _HONEST_COUNTS, 1.0 / max(len(names) - 1, 1)) / counts
    return np.concatenate(rows), truth, share[inverse]


def _measured(path: Path) -> NDArray[np.bool_]:
    """Whether a round was measured beyond its norm."""
    return np.asarray(path.statistics[:, FUSED].any(axis=1), np.bool_)


def _logistic(
    values: NDArray[np.float64], attacking: NDArray[np.bool_], importance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Non-negative weights and the prior of a logistic regression with a small quadratic penalty."""
    sign = np.where(attacking, 1.0, -1.0)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (values @ point[:-1] - point[-1])
        pull = -importance * sign / (1 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.append(values.T @ pull + _PENALTY * point[:-1], -pull.sum())
        total = float(importance @ np.logaddexp(0, -margin)) + _PENALTY * float(point[:-1] @ point[:-1]) / 2
        return total, gradient

    bounds = [(0.0, 100.0)] * values.shape[1] + [(0.0, 1000.0)]
    found: Any = minimize(loss, np.append(np.full(values.shape[1], 0.1), 1.0), jac=True, method="L-BFGS-B", bounds=bounds)
    # The prior of equal odds: what honest rows counted more is taken out again.
    return found.x[:-1], max(0.0, float(found.x[-1]) - log(_HONEST_COUNTS))


def _with_thresholds(gate: GateSection, paths: Sequence[Path], values: Sequence[Values]) -> GateSection:
    honest = [ratios(own, gate).tolist() for path, own in zip(paths, values, strict=True) if not path.malicious]
    suspicions = [list(accumulate(own, lambda before, ratio: _suspicion(before, ratio, gate), initial=0))[1:] for own in honest]
    pairs = [pair for both in zip(honest, suspicions, strict=True) for pair in zip(*both, strict=True)]
    fast = max(_quantile([ratio for ratio, _ in pairs], 1 - _BY_ONE_ROUND), nats(_LEAST))
    # The slow threshold is for what the fast one lets through, so rounds that it has caught already do not count.
    slow = max(_quantile([suspicion for ratio, suspicion in pairs if ratio <= fast], 1 - _BY_SUSPICION), nats(_LEAST))
    highest = max(suspicion for _, suspicion in pairs)
    reject = _thousandths(slow / STATISTIC_UNIT) + 1
    reject_round = _thousandths(fast / STATISTIC_UNIT) + 1
    limit = 1000 * reject_round / max(1, 1000 - gate.forgetting)
    return gate.model_copy(
        update={
            "reject_round": reject_round,
            "reject": reject,
            "down_weight": int(_DOWN_WEIGHT * reject),
            "expel": max(min(_thousandths(_EXPEL_MARGIN * highest / STATISTIC_UNIT), int(_EXPEL_REACH * limit)), reject),
            "grey": _grey(gate, paths, values),
        }
    )


def _suspicion(before: int, ratio: int, gate: GateSection) -> int:
    # As if every round were explained: what others add depends on the threshold that is looked for, and is less.
    return advance(before, ratio, gate, explained=True)


def _grey(gate: GateSection, paths: Sequence[Path], values: Sequence[Values]) -> int:
    """Thousandths of nats: the dear check is made for all but 1 % of the attackers' rounds."""
    cheap = gate.model_copy(update={f"weight_{statistic.name.lower()}": 0 for statistic in FUSED if statistic not in CHEAP})
    sums = [ratios(own, cheap)[path.attacking & _measured(path)] for path, own in zip(paths, values, strict=True)]
    return _thousandths(max(0.0, -float(np.quantile(np.concatenate(sums), _DEAR_MISSED)) / STATISTIC_UNIT))


def _quantile(values: Sequence[int], share: float) -> int:
    """The smallest value that at most a share of 1 − `share` are above."""
    return sorted(values)[min(len(values) - 1, int(np.ceil(share * len(values))))]


def _thousandths(value: float) -> int:
    return round(1000 * float(value))


def attacks_of(paths: Iterable[Path]) -> list[str]:
    """The attacks among the scenarios, in the order they come."""
    return list(dict.fromkeys(path.scenario.attack for path in paths if path.malicious))
