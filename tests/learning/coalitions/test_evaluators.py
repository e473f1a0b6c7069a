"""Whatever the model is, its coalitions are worth what a module loaded with the merged parameters says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.coalitions.batched import Batched
from learning.coalitions.choice import choose_evaluator
from learning.coalitions.onebyone import OneByOne
from learning.data import Data
from learning.evaluator import Evaluator
from protocol.parameters import Parameters
from tests.learning.coalitions.zoo import TRACEABLE, ZOO, zoo_data, zoo_updates

MEMORY = 1 << 28
WEIGHTS = (3, 1, 4, 1)
PLAYERS = len(WEIGHTS)


def every_coalition(players: int) -> np.ndarray:
    return (np.arange(1 << players)[:, None] >> np.arange(players) & 1).astype(np.float64)


def merged(base: Parameters, updates: list, shares: np.ndarray) -> Parameters:
    parts = [share * weight / sum(WEIGHTS) for share, weight in zip(shares, WEIGHTS, strict=True)]
    return {
        name: (array + sum(part * u[name].astype(np.float64) for part, u in zip(parts, updates, strict=True))).astype(np.float32)
        for name, array in base.items()
    }


@pytest.mark.parametrize("name", ZOO)
def test_scores_are_those_of_the_merged_models(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 300)
    base, updates = zoo_updates(task, PLAYERS)
    evaluator = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY)
    assert isinstance(evaluator, Batched if name in TRACEABLE else OneByOne)
    shares = every_coalition(PLAYERS)
    found = evaluator.evaluate(shares, outputs=True)
    assert found.scorable.all()
    reference = Evaluator(task, data)
    for row, one in zip(found.scores, shares, strict=True):
        # Float32 in another order of operations: an error of some 1e-6 of a logit, 2^-20 being 1e-6 of a score.
        assert np.abs(row - reference.scores(merged(base, updates, one))).max() < 60
    assert found.outputs is not None
    assert found.outputs.shape[:2] == (16, 300)
    # Scores come from the outputs.
    assert (task.score(found.outputs[5], data.targets) * 2**20).round().int().numpy() == pytest.approx(found.scores[5], abs=4)


@pytest.mark.parametrize("name", ["dense", "residual", "branching"])
def test_little_memory_gives_the_same_in_more_steps(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 40)
    base, updates = zoo_updates(task, PLAYERS)
    shares = every_coalition(PLAYERS)
    much, little = (choose_evaluator(task, data, base, updates, WEIGHTS, memory).evaluate(shares) for memory in (MEMORY, 3000))
    assert np.abs(much.scores - little.scores).max() < 60


@pytest.mark.parametrize("name", ["dense", "convolutional", "branching"])
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 20)
    base, updates = zoo_updates(task, PLAYERS)
    evaluator = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY)
    shares = every_coalition(PLAYERS)
    together = evaluator.evaluate(shares).scores
    for rows in ([7], [3, 12], [15, 0, 3], [3, 3, 12, 12]):
        assert np.abs(evaluator.evaluate(shares[rows]).scores - together[rows]).max() < 60


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 2), min_size=PLAYERS, max_size=PLAYERS))
def test_shares_may_be_any_numbers(shares: list[float]) -> None:
    task, data = ZOO["dense"], zoo_data("dense", 10)
    base, updates = zoo_updates(task, PLAYERS)
    row = np.array([shares, [1 - share for share in shares]])
    found = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY).evaluate(row).scores
    for scores, one in zip(found, row, strict=True):
        assert np.abs(scores - Evaluator(task, data).scores(merged(base, updates, one))).max() < 60


@pytest.mark.parametrize("name", ["dense", "tied"])
def test_a_row_that_cannot_be_scored_fails_alone(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 30)
    base, updates = zoo_updates(task, PLAYERS)
    for array in updates[2].values():
        array *= np.float32(1e25)  # finite, but a logit is not
    found = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY).evaluate(every_coalition(PLAYERS))
    harmed = every_coalition(PLAYERS)[:, 2] == 1
    assert found.scorable.tolist() == (~harmed).tolist()
    assert (found.scores[harmed] == 0).all()
    assert (found.scores[~harmed].sum(1) > 0).all()


def test_what_would_overflow_only_when_mixed_goes_through_the_module() -> None:
    task, data = ZOO["dense"], zoo_data("dense", 5)
    base, updates = zoo_updates(task, PLAYERS)
    updates[0]["first.weight"][:] = 3e38
    assert isinstance(choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY), OneByOne)


def test_without_players_there_is_the_base() -> None:
    task, data = ZOO["dense"], zoo_data("dense", 5)
    base, _ = zoo_updates(task, 0)
    found = choose_evaluator(task, data, base, [], [], MEMORY).evaluate(np.zeros((1, 0)))
    assert found.scores[0].tolist() == Evaluator(task, data).scores(base).tolist()


def test_updates_of_zeros_change_nothing_at_all() -> None:
    task, data = ZOO["dense"], zoo_data("dense", 50)
    base, updates = zoo_updates(task, PLAYERS)
    updates[1] = {name: np.zeros_like(array) for name, array in base.items()}
    evaluator = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY)
    one, other = evaluator.evaluate(np.array([[1.0, 0, 1, 0], [1.0, 1, 1, 0]])).scores
    assert np.array_equal(one, other)


def test_more_players_than_inputs_are_multiplied_and_not_mixed() -> None:
    task, data = ZOO["one matrix"], zoo_data("one matrix", 30)
    base, updates = zoo_updates(task, 40)
    shares = np.random.default_rng(1).integers(0, 2, (6, 40)).astype(np.float64)
    found = choose_evaluator(task, data, base, updates, [1] * 40, MEMORY).evaluate(shares).scores
    slow = choose_evaluator(ZOO["branching"], Data(data.features, data.targets), *_as_branching(base, updates), [1] * 40, MEMORY)
    assert np.abs(found - slow.evaluate(shares).scores).max() < 60


def _as_branching(base: Parameters, updates: list) -> tuple[Parameters, list]:
    def twice(one: Parameters) -> Parameters:
        zero = np.zeros(3, np.float32)
        return {"low.weight": one["1.weight"], "low.bias": zero, "high.weight": one["1.weight"], "high.bias": zero}

    return twice(base), [twice(update) for update in updates]
