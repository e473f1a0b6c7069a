"""The game of a round on real models: what is pinned, who computes it, and what happens when something goes wrong."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from aggregator.errors import ClusterError
from aggregator.evaluation.contributions import round_game
from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR, Estimate, Estimator, Outcome
from aggregator.evaluation.contributions.estimators import enumerate_game, krige
from aggregator.evaluation.contributions.game import HERE, Resources, indicators
from aggregator.evaluation.contributions.method import estimate
from aggregator.evaluation.contributions.reduction import Reduced, active_players, alike, shared_out
from aggregator.evaluation.contributions.round_game import RoundGame
from aggregator.evaluation.merge.mean import WeightedMean
from learning.errors import TaskError
from learning.evaluator import Evaluator
from protocol.parameters import Parameters
from tests.aggregator.evaluation.tasks import Rooted, samples
from tests.learning.coalitions.zoo import ZOO, zoo_data, zoo_updates
from tests.support.rounds import digits, scaled, trained

SEED = bytes(range(32))
NODES = 13


def digits_game(updates: list[Parameters], weights: list[int], resources: Resources = HERE) -> RoundGame:
    whole = digits()
    return RoundGame(whole.task, whole.shards, whole.base, updates, weights, resources)


def shares(count: int) -> tuple[list[Parameters], list[int]]:
    found = [trained(part, NODES + 1) for part in range(1, count + 1)]
    return [update for update, _ in found], [held for _, held in found]


def fraction(found: Estimate) -> np.ndarray:
    return np.array([value / found.denominator for value in found.contributions])


@pytest.mark.parametrize("name", ["dense", "branching"])
def test_the_empty_and_the_full_coalition_are_base_and_merged_model_to_the_bit(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 60)
    base, updates = zoo_updates(task, 3)
    game = RoundGame(task, [data], base, updates, [1, 2, 3])
    empty, full = (worth.scores.tolist() for worth in game.play([0, 7]))
    reference = Evaluator(task, data)
    assert empty == reference.scores(base).tolist()
    assert full == reference.scores(WeightedMean(base, updates, [1, 2, 3]).of_all()).tolist()


class Elsewhere:
    """An executor that sends everything by pickle, as another process needs it, and works on later blocks first."""

    def map(self, function: Callable[[Any], Any], blocks: Iterable[Any]) -> Iterator[Any]:
        sent = [pickle.dumps((function, block)) for block in blocks]
        done = {}
        for position in reversed(range(len(sent))):
            work, block = pickle.loads(sent[position])
            done[position] = pickle.loads(pickle.dumps(work(block)))
        return (done[position] for position in range(len(sent)))


@pytest.mark.parametrize("name", ["dense", "residual", "branching"])
def test_whoever_computes_gets_the_same_integers(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 300)
    base, updates = zoo_updates(task, 9)
    here, elsewhere = (
        enumerate_game(RoundGame(task, [data], base, updates, [1] * 9, Resources(executor, 1 << 22)))
        for executor in (HERE.executor, Elsewhere())
    )
    assert here == elsewhere


def test_what_was_prepared_is_not_sent_along() -> None:
    task, data = ZOO["dense"], zoo_data("dense", 300)
    base, updates = zoo_updates(task, 3)
    game = RoundGame(task, [data], base, updates, [1] * 3)
    before = len(pickle.dumps(game._work))
    list(game.play(range(8)))
    assert len(pickle.dumps(game._work)) == before


class Dead:
    """An executor whose machines are gone."""

    def map(self, function: Callable[[Any], Any], blocks: Iterable[Any]) -> Iterator[Any]:
        raise ConnectionError("no machine answers")


class Forgetful:
    """An executor that leaves results out."""

    def map(self, function: Callable[[Any], Any], blocks: Iterable[Any]) -> Iterator[Any]:
        return iter(())


def test_an_executor_that_dies_or_forgets_is_an_error_and_no_zero() -> None:
    updates, weights = shares(3)
    with pytest.raises(ConnectionError, match="no machine answers"):
        enumerate_game(digits_game(updates, weights, Resources(Dead())))
    with pytest.raises(ClusterError, match="fewer results"):
        enumerate_game(digits_game(updates, weights, Resources(Forgetful())))


def test_a_base_without_a_score_is_the_fault_of_the_task() -> None:
    task = Rooted(2)
    with pytest.raises(TaskError, match=r"Rooted\.score"):
        RoundGame(task, [task.load(None)], {"shares": np.array([-1, 0], np.float32)}, [], [])


def test_a_coalition_without_a_score_is_worth_nothing_and_is_not_interpolated() -> None:
    task = Rooted(NODES)
    updates: list[Parameters] = [{"shares": np.eye(NODES, dtype=np.float32)[k]} for k in range(NODES)]
    updates[0] = {"shares": -6 * updates[0]["shares"]}
    updates[1] = {"shares": 12 * np.eye(NODES, dtype=np.float32)[0]}  # the merged model has a score, the first alone has none
    data = samples(np.eye(NODES, dtype=np.float32))
    game = RoundGame(task, [data], {"shares": np.zeros(NODES, np.float32)}, updates, [1] * NODES)
    (alone,) = game.play([1])
    assert (alone.scorable, alone.utility) == (False, 0)
    found = estimate(game, 1000, SEED)
    assert [(stage.estimator, stage.outcome) for stage in found.stages] == [
        (Estimator.KRIGING, Outcome.NOT_SCORABLE),
        (Estimator.LEVERAGE, Outcome.USED),
    ]
    gain = sum(worth.utility * sign for worth, sign in zip(game.play([(1 << NODES) - 1, 0]), (1, -1), strict=True))
    assert sum(found.contributions) == SOLVE_DENOMINATOR * gain
    assert found.contributions[0] < 0 < found.contributions[1]


def test_updates_that_are_all_but_equal_share_alike() -> None:
    update, held = trained(1, NODES + 1)
    updates: list[Parameters] = [scaled(update, 1 + k * 2**-20) for k in range(NODES)]
    found = estimate(digits_game(updates, [held] * NODES), 100, SEED)
    assert found.stages[-1].outcome is Outcome.USED
    values = fraction(found)
    assert values == pytest.approx(np.full(NODES, values.mean()), rel=0.01)


def test_kriging_keeps_the_laws_on_trained_models() -> None:
    updates, weights = shares(NODES)
    updates[7], weights[7] = updates[2], weights[2]  # a clone
    updates[11] = scaled(updates[11], 0)  # a free-rider
    game = digits_game(updates, weights)
    active = active_players(updates)
    assert set(range(NODES)) - set(active) == {11}
    found = krige(Reduced(game, active), 60, SEED)
    assert isinstance(found, Estimate)
    exact = enumerate_game(Reduced(game, active))
    assert np.linalg.norm(fraction(found) - fraction(exact)) < 0.01 * np.linalg.norm(fraction(exact))
    twins = alike(updates, weights, active)
    assert twins == [[2, 7]]
    assert exact.contributions[2] == exact.contributions[7]
    even = shared_out(found.contributions, twins)
    assert abs(even[2] - even[7]) <= 1
    assert sum(even) == sum(found.contributions)


def test_of_models_with_many_outputs_the_scores_are_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    updates, weights = shares(9)
    exact = enumerate_game(digits_game(updates, weights))
    monkeypatch.setattr(round_game, "MOST_OUTPUTS", 360 * 10 - 1)
    assert next(digits_game(updates, weights).play([5], outputs=True)).outputs is None
    found = krige(digits_game(updates, weights), 64, SEED)
    assert isinstance(found, Estimate)
    assert np.linalg.norm(fraction(found) - fraction(exact)) < 0.03 * np.linalg.norm(fraction(exact))


def test_splitting_a_player_in_three_hardly_changes_its_total() -> None:
    updates, weights = shares(8)
    whole = enumerate_game(digits_game(updates, weights))
    parts = [*updates[:-1], *[scaled(updates[-1], 1 + k * 2**-22) for k in range(3)]]
    split = enumerate_game(digits_game(parts, [*(3 * weight for weight in weights[:-1]), *[weights[-1]] * 3]))
    assert fraction(split)[7:].sum() == pytest.approx(fraction(whole)[7], rel=0.02, abs=0.02 * np.abs(fraction(whole)).max())


def test_indicators_of_coalitions() -> None:
    assert indicators([1 << 100 | 1], 101)[0].nonzero()[0].tolist() == [0, 100]
