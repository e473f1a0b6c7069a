from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest
from numpy.typing import NDArray

from aggregator.evaluation.contributions.game import Worth, members, play
from aggregator.evaluation.merge.mean import WeightedMean
from learning.errors import TaskError
from protocol.parameters import Parameters

ALL = tuple(range(8))


class Recorded:
    """Scores a model by a function of its only number, and remembers which models it was asked about."""

    def __init__(self, score: Callable[[float], int] = round, samples: int = 2) -> None:
        self.asked: list[float] = []
        self._score, self._samples = score, samples

    def scores(self, parameters: Parameters) -> NDArray[np.int64]:
        self.asked.append(float(parameters["w"][0]))
        return np.full(self._samples, self._score(self.asked[-1]), np.int64)


def mean_of(*updates: float, base: float = 0) -> WeightedMean:
    """Weights are 1 of the number of updates, which are given so many times too large."""
    models = [{"w": np.float32([update * len(updates)])} for update in updates]
    return WeightedMean({"w": np.float32([base])}, models, [1] * len(updates))


def worths(played: list[Worth]) -> dict[int, list[int]]:
    return {worth.coalition: [int(scores.sum()) for scores in worth.per_shard] for worth in played}


def test_members_of_a_mask() -> None:
    for mask in chain(ALL, [1 << 8190]):
        assert sum(1 << player for player in members(mask)) == mask


def test_each_coalition_is_worth_what_its_model_scores_on_each_shard() -> None:
    one, two = Recorded(samples=1), Recorded(lambda w: round(w) + 1, samples=3)
    played = list(play(mean_of(16, 32, 64, base=1), [one, two], ALL))
    assert [worth.coalition for worth in played] == list(ALL)
    assert all(worth.scorable for worth in played)
    sums = {mask: 1 + sum((16, 32, 64)[i] for i in members(mask)) for mask in ALL}
    assert worths(played) == {mask: [total, 3 * (total + 1)] for mask, total in sums.items()}


def test_equal_models_share_one_evaluation_whoever_made_them() -> None:
    scorer = Recorded()
    played = worths(list(play(mean_of(0, 8, 8), [scorer], ALL)))
    assert sorted(scorer.asked) == [0, 8, 16]
    assert [played[mask][0] for mask in ALL] == [0, 0, 16, 16, 16, 16, 32, 32]


def nan_above(limit: float) -> Callable[[float], int]:
    def score(value: float) -> int:
        if value > limit:
            raise TaskError("not a number")
        return 5

    return score


def test_a_model_that_cannot_be_scored_is_worth_nothing_on_any_shard() -> None:
    played = {w.coalition: w for w in play(mean_of(1, 2, 4), [Recorded(), Recorded(nan_above(4))], ALL)}
    assert {mask for mask, worth in played.items() if not worth.scorable} == {5, 6, 7}
    assert worths(list(played.values()))[5] == [0, 0]
    assert worths(list(played.values()))[4] == [8, 10]


def test_a_model_that_is_not_finite_is_worth_nothing_even_if_the_task_scores_it() -> None:
    scorer = Recorded(lambda value: 1 if value > 0 else 0)
    largest = float(np.finfo(np.float32).max)
    mean = WeightedMean({"w": np.float32([largest])}, [{"w": np.float32([largest])}], [1])
    empty, full = play(mean, [scorer], (0, 1))
    assert (empty.scorable, int(empty.per_shard[0].sum())) == (True, 2)
    assert (full.scorable, int(full.per_shard[0].sum())) == (False, 0)


def test_a_base_that_cannot_be_scored_is_the_fault_of_the_task() -> None:
    with pytest.raises(TaskError, match="not a number"):
        list(play(mean_of(1, base=9), [Recorded(nan_above(4))], (0, 1)))


def test_the_empty_coalition_comes_first() -> None:
    with pytest.raises(ValueError, match="empty coalition"):
        list(play(mean_of(1), [Recorded()], (1, 0)))


def test_a_coalition_is_worth_the_same_in_whatever_order_it_is_asked_for() -> None:
    one = worths(list(play(mean_of(1, 2, 4), [Recorded()], ALL)))
    assert worths(list(play(mean_of(1, 2, 4), [Recorded()], (0, *reversed(ALL[1:]))))) == one
