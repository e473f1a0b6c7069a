"""Is the round's heterogeneity within what the virtual nodes can show? If not, their null is no judge of anybody.

Statistic: the lower quartile, over the nodes that neither point against training nor resemble each other, of how unusual their
directions are. A root set that does not represent the nodes shows in nearly all of them; attackers only in themselves, and to
lift the quartile they would have to be three quarters of all who seem candid.
"""

from collections.abc import Mapping

import numpy as np

from aggregator.evaluation.gate.geometry import Values
from aggregator.evaluation.gate.statistics import Statistic

_OUTSIDE = 16.0
_LEAST_NODES = 3
_QUARTILE = 0.25


def heterogeneity(found: Mapping[Statistic, Values], alike: Values, *, complete: bool) -> float:
    """Standard deviations by which the round is outside calibration, ±16. `complete`: the root set has all strata."""
    if not complete:
        return _OUTSIDE
    candid = (found[Statistic.AFFINE] < 3) & (alike < 0.5)
    if candid.sum() < _LEAST_NODES:
        return 0.0
    return float(np.quantile(np.maximum(found[Statistic.FIT], found[Statistic.CONE])[candid], _QUARTILE))
