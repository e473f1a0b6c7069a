"""What is measured about a usable update. Statistics are toleranced leaves: integers in units of 2^-20.

A new statistic gets the next number here and a module of its own that measures it; verdicts read them by name.
"""

from enum import IntEnum

import numpy as np

from protocol.parameters import Parameters

STATISTIC_UNIT = 1 << 20


class Statistic(IntEnum):
    """Position of each statistic in a STATISTICS leaf."""

    NORM = 0


Statistics = tuple[int, ...]
"""One value per `Statistic`, in its order."""


def measure(update: Parameters) -> Statistics:
    """All statistics of one usable update."""
    return (_norm(update),)


def _norm(update: Parameters) -> int:
    """L2 norm over all tensors, computed in float64."""
    squares = sum(float(np.square(array.astype(np.float64)).sum()) for array in update.values())
    return round(float(np.sqrt(squares)) * STATISTIC_UNIT)
