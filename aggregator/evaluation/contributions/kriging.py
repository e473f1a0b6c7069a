"""Kriging: what unseen coalitions put out, interpolated from evaluated ones.

The outputs of a coalition's model are a smooth function of the parameters that it mixes, so they are modelled as a Gaussian
process over coalitions, whose covariance depends on how far apart two models are: for members c, c′ ∈ {0, 1}^n and the Gram
matrix G of the weighted updates,

    k(c, c′) = exp(−|c − c′|²_G / 2ℓ²) + 10 · (1 + cᵀ G c′ / t),   t the mean of cᵀ G c,

the second part being a linear trend. Every output of every sample is interpolated with the same weights.
Sources: Rasmussen and Williams, Gaussian processes for machine learning (2006), equations 2.25, 2.26 and 5.12.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LENGTH_SCALES = (10, 30, 100)
"""ℓ² in units of the median squared distance between the evaluated coalitions; leave-one-out errors choose."""

_TREND = 10.0
_NUGGET = 1e-9
_SAME = 1e-10


class SingularKernelError(ArithmeticError):
    """The kernel matrix of the evaluated coalitions cannot be inverted."""


@dataclass(frozen=True)
class Kernel:
    """The covariance of coalitions: `gram` (players, players), `distance` ℓ² and `trend` t, all in the updates' own units."""

    gram: NDArray[np.float64]
    distance: float
    trend: float

    def __call__(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariances of two lists of coalitions, (k, players) and (l, players): shape (k, l)."""
        inner = one @ self.gram @ other.T
        distances = squared_distances(one, other, self.gram)
        covariance: NDArray[np.float64] = np.exp(-distances / (2 * self.distance)) + _TREND * (1 + inner / self.trend)
        return covariance


def squared_distances(one: NDArray[np.float64], other: NDArray[np.float64], gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """|c − c′|²_G of two lists of coalitions, never negative: shape (k, l)."""
    first, second = np.einsum("ki,ij,kj->k", one, gram, one), np.einsum("ki,ij,kj->k", other, gram, other)
    distances: NDArray[np.float64] = np.maximum(first[:, None] + second[None] - 2 * one @ gram @ other.T, 0.0)
    return distances


def distinct(members: NDArray[np.float64], gram: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which rows to keep so that no two coalitions have the same model, up to rounding: a kernel with both has no inverse."""
    distances = squared_distances(members, members, gram)
    same = distances <= _SAME * distances.max(initial=0.0)
    return np.flatnonzero(~np.tril(same, -1).any(1))


def kernels(members: NDArray[np.float64], gram: NDArray[np.float64]) -> list[Kernel]:
    """One candidate per length scale."""
    distances = squared_distances(members, members, gram)
    above = distances[distances > 0]
    scale = float(np.median(above)) if above.size else 1.0
    trend = float(np.einsum("ki,ij,kj->k", members, gram, members).mean()) or 1.0
    return [Kernel(gram, multiple * scale, trend) for multiple in LENGTH_SCALES]


class Interpolation:
    """A kernel with the evaluated coalitions, (k, players). Raises `SingularKernelError`."""

    def __init__(self, kernel: Kernel, members: NDArray[np.float64]) -> None:
        self._kernel, self._members = kernel, members
        covariance = kernel(members, members) + _NUGGET * np.eye(len(members))
        try:
            with np.errstate(all="ignore"):
                self._inverse = np.linalg.inv(covariance)
        except np.linalg.LinAlgError as error:
            raise SingularKernelError("two evaluated coalitions cannot be told apart") from error
        if not (np.isfinite(self._inverse).all() and (np.diag(self._inverse) > 0).all()):
            raise SingularKernelError("the updates are too large or too small for a kernel of them")

    def weights(self, members: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each evaluated coalition counts in each of these ones: shape (asked for, evaluated)."""
        return self._kernel(members, self._members) @ self._inverse

    def leave_one_out(self, values: NDArray[np.float64]) -> float:
        """The root mean square by which a coalition's values, (k, values), are missed from the others' ones."""
        missed = (self._inverse @ values) / np.diag(self._inverse)[:, None]
        return float(np.sqrt(np.mean(missed**2)))


def choose(
    members: NDArray[np.float64], gram: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[list[Kernel], Sequence[float]]:
    """The candidates and how much each of them misses when it leaves one out, relative to the values' own spread."""
    candidates = kernels(members, gram)
    spread = float(np.sqrt(np.mean((values - values.mean(0)) ** 2))) or 1.0
    return candidates, [Interpolation(kernel, members).leave_one_out(values) / spread for kernel in candidates]
