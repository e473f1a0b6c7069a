"""Is an update another node's with a little noise? Commitments are salted, so only nodes that collude can send such.

Two residuals must agree: what is left of an update without the virtual nodes' mean direction, and without their whole span,
where two nodes with the same labels still differ. In each, a pair is as similar as 1 − d² / t, with d their distance and t the
median distance of either to the others: what all nodes have in common, and the root set has not, makes nobody a copy.
Null: 0 for independent nodes, 1 for copies; no virtual node is needed.
"""

import numpy as np

from aggregator.evaluation.gate.geometry import Geometry, Values

_RIDGE = 1e-2
_OTHERS = 0.5
_FLOOR = 1e-3


def similarity(geometry: Geometry) -> Values:
    """Between all pairs of real nodes, 0 … 1, shape (n, n), zero on the diagonal and for fewer than three nodes."""
    nodes, virtual = np.arange(geometry.n), geometry.virtual
    if geometry.n < 3:
        return np.zeros((geometry.n, geometry.n))
    cosines = geometry.cosines
    between, span = cosines[np.ix_(nodes, virtual)], cosines[np.ix_(virtual, virtual)]
    whole = cosines[np.ix_(nodes, nodes)]
    along = between.mean(axis=1) / np.sqrt(max(span.mean(), 1e-12))
    off_mean = whole - np.outer(along, along)
    off_span = whole - between @ np.linalg.solve(span + _RIDGE * np.eye(len(span)), between.T)
    found: Values = np.minimum(_closeness(off_mean), _closeness(off_span))
    np.fill_diagonal(found, 0)
    return found


def _closeness(gram: Values) -> Values:
    squares = np.diag(gram)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0)
    others = distances[~np.eye(len(gram), dtype=bool)].reshape(len(gram), -1)
    usual = np.quantile(others, _OTHERS, axis=1)
    found: Values = np.clip(1 - distances / (np.minimum(usual[:, None], usual[None, :]) + _FLOOR), 0, 1)
    return found
