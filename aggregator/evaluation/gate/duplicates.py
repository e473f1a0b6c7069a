"""Is an update another node's with a little noise? Commitments are salted, so only nodes that collude can send such.

In what is left of the updates without the virtual nodes' mean direction a pair is as close as 1 − d² / t, with d their distance
and t the smaller of their median squared distances to the others: what all nodes have in common, and the root set has not, makes
nobody a copy.

Close pairs are not copies yet: honest nodes of the same one class are as close as 0.98. What they differ by tells them apart
(`difference.py`). Of pairs that differ by noise it is enough to be closer than independent nodes are. Others have to be nearly
the same, also without the virtual nodes' whole span, where two nodes with the same labels still differ.
"""

import numpy as np

from aggregator.evaluation.gate.difference import noise
from aggregator.evaluation.gate.geometry import Geometry, Values

_RIDGE = 1e-2
_OTHERS = 0.5
_FLOOR = 1e-3

_INDEPENDENT = 0.5
_SAME = 24
"""The power of closeness that counts where the difference is no noise: 0.993 is as much as the default bound of 0.85."""


def similarity(geometry: Geometry, seed: bytes) -> Values:
    """Between all pairs of real nodes, 0 … 1, shape (n, n), zero on the diagonal and for fewer than three nodes."""
    if geometry.n < 3:
        return np.zeros((geometry.n, geometry.n))
    nodes, virtual = np.arange(geometry.n), geometry.virtual
    cosines = geometry.cosines
    between, span = cosines[np.ix_(nodes, virtual)], cosines[np.ix_(virtual, virtual)]
    whole = cosines[np.ix_(nodes, nodes)]
    along = between.mean(axis=1) / np.sqrt(max(span.mean(), 1e-12))
    off_mean = whole - np.outer(along, along)
    off_span = whole - between @ np.linalg.solve(span + _RIDGE * np.eye(len(span)), between.T)
    close = _closeness(off_mean)
    disguised = noise(geometry, seed) * np.minimum(1, close / _INDEPENDENT)
    found: Values = np.maximum(disguised, np.minimum(close, _closeness(off_span)) ** _SAME)
    np.fill_diagonal(found, 0)
    return found


def _closeness(gram: Values) -> Values:
    """How much closer every pair is than nodes usually are, 0 … 1, of the residuals' inner products."""
    squares = np.diag(gram)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0)
    others = distances[~np.eye(len(gram), dtype=bool)].reshape(len(gram), -1)
    usual = np.quantile(others, _OTHERS, axis=1)
    found: Values = np.clip(1 - distances / (np.minimum(usual[:, None], usual[None, :]) + _FLOOR), 0, 1)
    return found
