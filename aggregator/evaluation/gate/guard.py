"""Is the round's heterogeneity within what the virtual nodes can show? If not, their null is no judge of anybody.

Statistic: the median, over the nodes that show no sign of malice which skewed data could not, of how unusual their directions
are. Attackers that point elsewhere do not count, so they cannot lift it by their number.
"""

from collections.abc import Mapping

import numpy as np

from aggregator.evaluation.gate.geometry import Values
from aggregator.evaluation.gate.statistics import Statistic

_OUTSIDE = 16.0
_LEAST_NODES = 3


def heterogeneity(found: Mapping[Statistic, Values], alike: Values, *, complete: bool) -> float:
    """Standard deviations by which the round is outside calibration, ±16. `complete`: the root set has all strata."""
    if not complete:
        return _OUTSIDE
    candid = (found[Statistic.AFFINE] < 3) & (alike < 0.5)
    if candid.sum() < _LEAST_NODES:
        return 0.0
    return float(np.median(np.maximum(found[Statistic.FIT], found[Statistic.CONE])[candid]))
