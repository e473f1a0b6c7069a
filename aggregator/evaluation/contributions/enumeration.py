"""Exact Shapley values: every coalition is evaluated."""

from collections.abc import Mapping, Sequence
from math import comb, lcm

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.contributions.game import indicators


def every_coalition(players: int) -> tuple[int, ...]:
    """All 2^n coalitions, each followed by its complement, the empty and the full one first; for no players the empty one.

    >>> every_coalition(2)
    (0, 3, 1, 2)
    """
    full = (1 << players) - 1
    return tuple(one for coalition in range(1 << max(players - 1, 0)) for one in dict.fromkeys((coalition, full ^ coalition)))


def exact_weights(players: int) -> tuple[NDArray[np.int64], int]:
    """Integer weights (sizes, 2) by a coalition's size of its utility for its members and for the others; the denominator.

    φ_i = Σ_S (U(S ∪ {i}) − U(S)) / (n · C(n − 1, |S|)), and n · C(n − 1, s) divides lcm(1 … n) for every s
    (Farhi, An identity involving the least common multiple of binomial coefficients, 2009), so that all weights are integers.
    """
    denominator = lcm(*range(1, players + 1))
    marginal = [denominator // (players * comb(players - 1, size)) for size in range(players)]
    return np.array([[0, *marginal], [*(-one for one in marginal), 0]], np.int64).T, denominator


def exact_matrix(coalitions: Sequence[int], players: int) -> tuple[NDArray[np.int64], int]:
    """φ · denominator = matrix @ U over all coalitions: (players, coalitions), and the denominator."""
    weights, denominator = exact_weights(players)
    inside = indicators(coalitions, players).T == 1
    sizes = inside.sum(0)
    return np.where(inside, weights[sizes, 0], weights[sizes, 1]), denominator


def shapley(utilities: Mapping[int, int], players: int) -> tuple[tuple[int, ...], int]:
    """Numerators of the Shapley values and their denominator, in integers without a bound, from every coalition's utility."""
    matrix, denominator = exact_matrix(list(utilities), players)
    values = list(utilities.values())
    return tuple(sum(weight * value for weight, value in zip(row, values, strict=True)) for row in matrix.tolist()), denominator
