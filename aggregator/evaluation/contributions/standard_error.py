"""How much a contribution owes to the luck of the evaluation sample.

The Shapley value is additive over games, and U is a sum over samples, so φ is the sum of one contribution per sample. Their
spread is the standard error of φ, at no extra evaluation.
"""

from math import isqrt

import numpy as np
from numpy.typing import NDArray


class PerSample:
    """Collects every player's contribution on every sample, coalition by coalition.

    Holds int64 of shape (players, samples), however many coalitions there are.
    """

    def __init__(self, coefficients: NDArray[np.int64]) -> None:
        self._coefficients = coefficients
        self._sums: NDArray[np.int64] | None = None

    def add(self, column: int, scores: NDArray[np.int64]) -> None:
        """Add the scores (all shards' samples in a row) of the coalition in this column of the design."""
        if self._sums is None:
            self._sums = np.zeros((len(self._coefficients), len(scores)), np.int64)
        weights = self._coefficients[:, column]
        players = np.flatnonzero(weights)
        self._sums[players] += weights[players, None] * scores[None, :]

    def standard_errors(self) -> tuple[int, ...]:
        """SE of each player's φ, an integer on the design's denominator: √(M / (M − 1) · Σ (x_s − x̄)²), rounded down.

        M is the number of samples, x_s the player's contribution on sample s. Zero for a single sample, which has no spread.
        """
        if self._sums is None:
            return ()
        return tuple(_standard_error([int(value) for value in row]) for row in self._sums)


def _standard_error(values: list[int]) -> int:
    # Python's integers: the squares pass 64 bits, and an exact result is the same everywhere.
    count = len(values)
    if count < 2:
        return 0
    return isqrt((count * sum(value * value for value in values) - sum(values) ** 2) // (count - 1))
