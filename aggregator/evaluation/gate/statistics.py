"""What is measured about a usable update. Statistics are toleranced leaves: integers in units of 2^-20.

A new statistic gets the next number here and a module of its own that measures it; verdicts read them by name.
"""

from enum import IntEnum
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from protocol.parameters import Parameters

STATISTIC_UNIT = 1 << 20


class Statistic(IntEnum):
    """Position of each statistic in a STATISTICS leaf.

    `NORM` is the update's L2 norm, `REFERENCE` the upper quartile of those of the virtual nodes (the same in every leaf of a
    round; 0 where there are none), `ALLOWED` that of virtual nodes like this one (0 where not measured). `DUPLICATE` is the
    similarity to the most similar other node, `DUPLICATE_LOWER` to the most similar of lower index, both 0 … 1. From `SIZE` to
    `ENERGY` values are standardised against the virtual nodes, larger being more suspicious, within ±16, and
    0 where not measured. `GUARD` says how far the round's heterogeneity is outside what virtual nodes can show (the same in every
    leaf).
    """

    NORM = 0
    REFERENCE = 1
    DUPLICATE = 2
    DUPLICATE_LOWER = 3
    SIZE = 4
    CONE = 5
    AFFINE = 6
    FIT = 7
    REPLAY = 8
    UTILITY = 9
    OWN_CLASSES = 10
    ENERGY = 11
    GUARD = 12
    ALLOWED = 13


Statistics = tuple[int, ...]
"""One value per `Statistic`, in its order."""


def norm(update: Parameters) -> int:
    """L2 norm over all tensors, computed in float64 and rounded up, so that only an update of nothing but zeros has norm 0."""
    squares = [folded_sum(np.square(array.astype(np.float64))) for array in update.values()]
    return ceil(sqrt(folded_sum(np.array(squares))) * STATISTIC_UNIT)


def in_units(value: float) -> int:
    """A float as the integer that is published."""
    return round(value * STATISTIC_UNIT)


def folded_sum(values: NDArray[np.float64]) -> float:
    """The sum of all values, the same bits on every machine: the second half is added to the first until one value is left.

    `np.sum` adds in an order that depends on the processor. Its error is relative, tolerances are absolute: one update of huge
    values would make honest verifiers disagree. Element by element, IEEE 754 leaves no choice.
    """
    values = values.ravel()
    while len(values) > 1:
        half = len(values) // 2
        folded = values[:half] + values[half : 2 * half]
        values = np.append(folded, values[2 * half :])
    return float(values.sum())
