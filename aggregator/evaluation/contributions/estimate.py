"""What an estimator finds: contributions in integers on one denominator, both of their errors, and how it got there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SOLVE_DENOMINATOR = 1 << 20
"""Denominator of contributions that come from floats. No lcm(1 … n) is a power of two above 2, so it names the kind of round."""


class Estimator(IntEnum):
    """How contributions were found. Numbers are in the evidence and never reused."""

    ENUMERATION = 1
    KRIGING = 2
    LEVERAGE = 3
    AUMANN_SHAPLEY = 4


class Outcome(IntEnum):
    """What became of a stage of the estimation. Numbers are in the evidence and never reused."""

    USED = 1
    NOT_CERTIFIED = 2
    NOT_SCORABLE = 3
    SINGULAR = 4


class Stage(NamedTuple):
    """One attempt. All but the first three are figures of kriging, and zero or empty otherwise.

    `evaluations`: distinct coalitions evaluated so far. `residual`: root mean square error on the hold-out coalitions, and
    `spread`: standard deviation of the utilities of the drawn coalitions, both in units of 2^-20 of one sample's score over all
    samples. `misses`: leave-one-out error of each length scale, relative to the outputs' spread, in units of 2^-20.
    """

    estimator: Estimator
    outcome: Outcome
    evaluations: int
    residual: int = 0
    spread: int = 0
    misses: tuple[int, ...] = ()

    @property
    def length_scale(self) -> int:
        """Which length scale was chosen: the one that misses least, the shortest of equals."""
        return min(range(len(self.misses)), key=self.misses.__getitem__)

    @property
    def certified(self) -> bool:
        """Whether the hold-out coalitions were met well enough: to 5 % of the spread of utilities."""
        return 20 * self.residual <= self.spread


@dataclass(frozen=True)
class Estimate:
    """Contributions by player, numerators on `denominator` in units of 2^-20 of one sample's score.

    `sampling_errors`: standard errors from the choice of the evaluation samples; `estimation_errors`: from not having evaluated
    all coalitions. Both on the same denominator. `stages` in order, the last one used.
    """

    contributions: tuple[int, ...]
    denominator: int
    sampling_errors: tuple[int, ...]
    estimation_errors: tuple[int, ...]
    stages: tuple[Stage, ...] = field(default=())


def standard_error(sampling: int, estimation: int) -> int:
    """Both errors together, independent of each other: √(sampling² + estimation²), rounded down.

    >>> standard_error(3, 4)
    5
    """
    return isqrt(sampling * sampling + estimation * estimation)


Values = NDArray[np.float64]


def solved(values: Values, gain: int, sampling: Values, estimation: Values, stages: Sequence[Stage]) -> Estimate:
    """An estimate on the denominator 2^20 whose contributions sum to exactly `gain`, U(N) − U(∅).

    What rounding leaves over goes to the lowest players, a unit each.
    """
    numerators = [round(value * SOLVE_DENOMINATOR) for value in values.tolist()]
    left = gain * SOLVE_DENOMINATOR - sum(numerators)
    count = len(numerators)
    numerators = [value + left // count + (player < left % count) for player, value in enumerate(numerators)]
    return Estimate(tuple(numerators), SOLVE_DENOMINATOR, scaled(sampling), scaled(estimation), tuple(stages))


def scaled(errors: Values) -> tuple[int, ...]:
    """Errors on the denominator 2^20."""
    return tuple(round(value * SOLVE_DENOMINATOR) for value in errors.tolist())
