"""Games that are given by a function of a coalition, as games that estimators can play."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aggregator.evaluation.contributions.game import Worth


class TableGame:
    """A game of one or more samples; `value` gives the score of each sample, or one number for a single sample."""

    def __init__(self, players: int, value: Callable[[int], int | Sequence[int]]) -> None:
        self.players, self._value = players, value
        self.samples = len(self._scores(0))
        self.played: list[int] = []

    def play(self, coalitions: Sequence[int], outputs: bool = False) -> Iterator[Worth]:
        for coalition in coalitions:
            self.played.append(coalition)
            yield Worth(coalition, self._scores(coalition))

    def score(self, outputs: Tensor, samples: slice) -> NDArray[np.integer] | None:
        raise AssertionError("this game has no outputs")

    def slopes(self, fraction: float, groups: int) -> NDArray[np.float64] | None:
        return None

    def gram(self) -> NDArray[np.float64]:
        return np.eye(self.players)

    def _scores(self, coalition: int) -> NDArray[np.int64]:
        return np.atleast_1d(np.array(self._value(coalition), np.int64))
