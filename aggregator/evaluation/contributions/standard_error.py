"""How much a contribution owes to the luck of the evaluation sample.

The Shapley value is additive over games, and U is a sum over samples, so φ is the sum of one contribution per sample. Their
spread is the standard error of φ, at no extra evaluation.
"""

from collections.abc import Iterable
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.contributions.game import Worth

_AT_ONCE = 128


class PerSample:
    """Adds up every player's contribution on every sample, coalition by coalition.

    Holds float64 of shape (players, samples), however many coalitions there are. With integer weights that sum to at most 2^32
    in absolute value every sum is exact, since scores are at most 2^20: a float64 holds integers up to 2^53.
    """

    def __init__(self, players: int, samples: int) -> None:
        self.sums: NDArray[np.float64] = np.zeros((players, samples))

    def add(self, weights: NDArray[np.floating], scores: NDArray[np.integer], start: int = 0) -> None:
        """Add scores (coalitions, samples from `start` on) with the players' weights for them, (players, coalitions)."""
        self.sums[:, start : start + scores.shape[1]] += weights @ scores.astype(np.float64)

    def exact_errors(self) -> tuple[int, ...]:
        """`standard_errors` for integer contributions, rounded down: the same on every machine."""
        return tuple(_exact_error([int(value) for value in row]) for row in self.sums)

    def standard_errors(self) -> NDArray[np.float64]:
        """SE of each player's φ: √(M / (M − 1) · Σ (x_s − x̄)²), for M samples and the player's contribution x_s on sample s.

        Zero for a single sample, which has no spread.
        """
        count = self.sums.shape[1]
        if count < 2:
            return np.zeros(len(self.sums))
        error: NDArray[np.float64] = self.sums.std(axis=1, ddof=1) * count**0.5
        return error


def in_batches(worths: Iterable[Worth]) -> Iterable[list[Worth]]:
    """Worths in the order they come, many at a time."""
    batch: list[Worth] = []
    for worth in worths:
        batch.append(worth)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _exact_error(values: list[int]) -> int:
    # Python's integers: the squares pass 64 bits, and an exact result is the same everywhere.
    count = len(values)
    if count < 2:
        return 0
    return isqrt((count * sum(value * value for value in values) - sum(values) ** 2) // (count - 1))
