"""Do two updates differ by what training makes, or by noise? Copies are disguised with noise; honest nodes of the same label
shares are alike too, but differ where different samples move a model.

The difference of two unit updates has its energy spread over the parameters, whitened by the virtual nodes' mean squares there:
low where it lies in parameters that clean training moves, highest where it is white. Its logarithm is read on a scale from the
mean of the pairs of virtual nodes (0) to white noise (1). It is measured on parameters drawn from the round's seed, which nobody
knows before all have committed: what is left out cannot be chosen.
"""

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.gate.geometry import Geometry, Values
from aggregator.evaluation.randomness import words

_PARAMETERS = 1 << 14
_FLOOR = 0.1
_NOISE = 0.9
"""On the scale: copies under noise of any strength are above it."""

_HONEST, _BEYOND = 0.65, 0.25
"""On the scale: honest nodes of the same one class come to 0.6, and not so far beyond all but 1 % of the virtual pairs. In
a model of a few dozen parameters those may be as white as noise: nothing can be told there.
"""


def noise(geometry: Geometry, seed: bytes) -> Values:
    """How surely pairs of real nodes differ by noise: 0 … 1, shape (n, n); 1 also where there is no difference."""
    rows = _drawn(geometry, seed)
    plain = _distances(rows)
    logs, white = np.zeros((2, len(rows), len(rows))), np.zeros(2)
    for fold in (0, 1):
        usual = np.square(rows[geometry.fold(fold)]).mean(axis=0)
        weights = 1 / (usual / max(usual.mean(), 1e-300) + _FLOOR)
        logs[fold] = np.log(_distances(rows * np.sqrt(weights)) + 1e-300) - np.log(plain + 1e-300)
        white[fold] = np.log(weights.mean())
    virtual = np.concatenate([_pairs(logs[1 - fold], geometry.fold(fold)) for fold in (0, 1)])
    centre, gap = virtual.mean(), max(white.mean() - virtual.mean(), 1e-9)
    honest = max(_HONEST, float((np.quantile(virtual, 0.99) - centre) / gap) + _BEYOND)
    if honest >= _NOISE:
        return np.zeros((geometry.n, geometry.n))
    places = (logs.mean(axis=0)[: geometry.n, : geometry.n] - centre) / gap
    found: Values = np.clip((places - honest) / (_NOISE - honest), 0, 1)
    found[plain[: geometry.n, : geometry.n] == 0] = 1
    return found


def _drawn(geometry: Geometry, seed: bytes) -> Values:
    """The unit rows of real and virtual nodes at the drawn parameters, of which some may be drawn twice; shape (n + K, m)."""
    updates = (*geometry.updates, *geometry.cohort.updates)
    ends = np.cumsum([array.size for array in updates[0].values()])
    random = np.random.RandomState(next(words(seed, "parameters of differences")) >> 32)  # its streams are frozen (NEP 19)
    drawn = np.sort(random.randint(ends[-1], size=min(_PARAMETERS, ends[-1])))
    of_tensor = np.split(drawn, np.searchsorted(drawn, ends[:-1]))
    within = [chosen - (end - array.size) for chosen, end, array in zip(of_tensor, ends, updates[0].values(), strict=True)]
    rows: Values = np.stack(
        [np.concatenate([array.ravel()[at] for array, at in zip(row.values(), within, strict=True)]) for row in updates]
    ).astype(np.float64)
    rows /= np.maximum(np.concatenate(geometry.norms), 1e-300)[:, None]
    return rows


def _distances(rows: Values) -> Values:
    """Squared, between all rows; what is below the rounding of the products is none."""
    products = rows @ rows.T
    squares = np.diag(products)
    found: Values = squares[:, None] + squares[None, :] - 2 * products
    return np.where(found > 1e-12 * (squares[:, None] + squares[None, :]), found, 0)


def _pairs(values: Values, rows: NDArray[np.int64]) -> Values:
    first, second = np.triu_indices(len(rows), 1)
    found: Values = values[rows[first], rows[second]]
    return found
