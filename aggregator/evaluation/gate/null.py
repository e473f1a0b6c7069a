"""What a statistic would be for an honest node like this one: the null distribution that the virtual nodes give."""

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.gate.geometry import Raw, Values

_LIMIT = 16.0
_WIDTH = 0.4
_FAR = 0.05
_FEW = 24
"""From fewer samples than this an honest update is a matter of chance: it counts in proportion."""

_LEAST_TOLD = 1 / 3

_QUARTILE = 0.6745
"""Of the standard normal distribution."""


class Null:
    """Compares each node with virtual nodes of its own heterogeneity.

    The usual value is a ridge regression over the virtual nodes on log c, (log c)² and log size, where c = Σ share² is the
    concentration of the strata that an update shows; the spread is that of the residuals, those of similar c foremost. Both
    move continuously with their inputs, as toleranced leaves need.

    `told`: how much of a node's value counts as evidence, 0 … 1, shape (n,). Whoever signs for a handful of samples, to be hard
    to judge, has the weight of a handful of samples in the merge.
    """

    def __init__(self, mixes: tuple[Values, Values], sizes: tuple[NDArray[np.int64], NDArray[np.int64]], distinct: int) -> None:
        """Mixes and sample counts of the real nodes and of the virtual ones; `distinct` samples are behind each virtual one."""
        nodes, virtual = (np.log(np.square(mix).sum(axis=1)) for mix in mixes)
        self._node_rows, self._virtual_rows = _columns(nodes, sizes[0]), _columns(virtual, sizes[1])
        apart = (nodes[:, None] - virtual[None, :]) / _WIDTH
        weights = np.exp(-np.square(apart) / 2) + _FAR
        self._near = weights / weights.sum(axis=1, keepdims=True)
        # A virtual node that repeats few samples shows less than what honest nodes of as many distinct ones may do.
        self.told = np.minimum(1, sizes[0] / _FEW) * np.sqrt(np.clip(distinct / np.maximum(sizes[0], 1), _LEAST_TOLD, 1))

    def standardise(self, raw: Raw, least_spread: float) -> Values:
        """(value − usual) / spread of every real node, within ±16, shape (n,)."""
        usual, spread = self._usual(raw, least_spread)
        found: Values = np.clip((raw.nodes - usual) / spread, -_LIMIT, _LIMIT)
        return found

    def upper_quartile(self, raw: Raw, least_spread: float) -> Values:
        """What three of four virtual nodes like each real one stay below, were their residuals normal, shape (n,)."""
        usual, spread = self._usual(raw, least_spread)
        return usual + _QUARTILE * spread

    def _usual(self, raw: Raw, least_spread: float) -> tuple[Values, Values]:
        """The value that a virtual node like each real one has, and the standard deviation around it, shapes (n,)."""
        centre, scale = self._virtual_rows.mean(axis=0), self._virtual_rows.std(axis=0) + 1e-9
        scale[0], centre[0] = 1, 0
        known, asked = (self._virtual_rows - centre) / scale, (self._node_rows - centre) / scale
        penalty = 0.5 * np.diag([1e-6, 1, 1, 1])
        slope = np.linalg.solve(known.T @ known + penalty, known.T @ raw.virtual)
        residuals = raw.virtual - known @ slope
        spread = np.sqrt(self._near @ np.square(residuals) + least_spread**2)
        # Outside of what the virtual nodes cover, the regression is not trusted further than at their border.
        asked = np.clip(asked, known.min(axis=0), known.max(axis=0))
        return asked @ slope, spread


def _columns(concentration: Values, sizes: NDArray[np.int64]) -> Values:
    return np.stack([np.ones(len(sizes)), concentration, np.square(concentration), np.log(np.maximum(sizes, 1))], axis=1)
