"""Shapley's laws on the game of trained models, for exact contributions and for estimated ones."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from aggregator.evaluation.contributions.contribute import Contributions, contribute
from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR
from aggregator.evaluation.contributions.round_game import RoundGame
from learning.data import Data
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.task import Task
from learning.training import train
from protocol.parameters import Parameters

EXACT, ESTIMATED = 6, 15
NULL, TWIN, FLIPPER = -1, -2, -3
EVALUATIONS = 100


@cache
def digits() -> tuple[Task, Parameters, Data]:
    task = load_task(read_task_source("digits"))
    return task, initial_parameters(task, seed=1), task.load("root")


@cache
def updates(players: int) -> tuple[Parameters, ...]:
    """The last node sends zeros, the one before it the same as node 0; the one before that trains on flipped labels."""
    task, base, _ = digits()
    shares = [task.load(f"{number}/{players}") for number in range(1, players - 1)]
    shares[-1] = Data(shares[-1].features, 9 - shares[-1].targets)
    recipe = Recipe("sgd", learning_rate=0.2, batch_size=8, epochs=2)
    trained = [train(task, base, share, recipe, seed=node) for node, share in enumerate(shares)]
    return (*trained, trained[0], {name: np.zeros_like(array) for name, array in base.items()})


def weights(players: int) -> list[int]:
    found = [100 + 7 * node for node in range(players)]
    found[TWIN] = found[0]
    return found


def played(
    given: Sequence[Parameters], weighed: Sequence[int], shards: Sequence[Data] | None = None, seed: bytes = bytes(32)
) -> Contributions:
    task, base, root = digits()
    game = RoundGame(task, [root] if shards is None else shards, base, given, weighed)
    work = 0 if len(given) <= EXACT else EVALUATIONS * game.cost
    return contribute(range(len(given)), game, work, seed)


@cache
def usual(players: int) -> Contributions:
    return played(updates(players), weights(players))


def relative(found: Contributions) -> np.ndarray:
    return np.array([found.values[node] / found.denominator for node in sorted(found.values)])


def test_the_small_round_is_enumerated_and_the_large_one_estimated() -> None:
    assert usual(EXACT).denominator != SOLVE_DENOMINATOR
    assert usual(ESTIMATED).denominator == SOLVE_DENOMINATOR
    assert usual(ESTIMATED).utility_all > usual(ESTIMATED).utility_empty


@pytest.mark.parametrize("players", [EXACT, ESTIMATED])
def test_efficiency_null_player_and_symmetry(players: int) -> None:
    found = usual(players)
    values = [found.values[node] for node in range(players)]
    assert sum(values) == found.denominator * (found.utility_all - found.utility_empty)
    assert values[NULL] == 0
    assert found.published.standard_errors[players - 1] == 0
    assert abs(values[TWIN] - values[0]) <= (1 if players == ESTIMATED else 0)
    assert values[FLIPPER] < values[0]


def test_contributions_on_two_shards_add_up() -> None:
    _, _, root = digits()
    halves = [root.take(np.arange(40)), root.take(np.arange(40, 90))]
    apart = [played(updates(EXACT), weights(EXACT), [half]) for half in halves]
    together = played(updates(EXACT), weights(EXACT), halves)
    for node in range(EXACT):
        assert together.values[node] == sum(one.values[node] for one in apart)


@pytest.mark.parametrize("players", [EXACT, ESTIMATED])
def test_relabelling_the_nodes_relabels_the_contributions(players: int) -> None:
    order = np.random.RandomState(3).permutation(players)
    given, weighed = updates(players), weights(players)
    found = relative(played([given[old] for old in order], [weighed[old] for old in order]))
    before = relative(usual(players))[order]
    # The design is drawn by label, and a coalition's weights are summed in another order.
    within = 1e-5 if players == EXACT else 0.02
    assert np.linalg.norm(found - before) < within * np.linalg.norm(before)


@pytest.mark.parametrize("parts", [2, 3])
def test_splitting_oneself_into_identical_parts_changes_the_total_by_less_than_2_percent(parts: int) -> None:
    given, weighed = updates(EXACT), weights(EXACT)
    whole = relative(played(given[:4], [parts * one for one in weighed[:4]]))
    split = relative(played([*given[1:4], *[given[0]] * parts], [*[parts * one for one in weighed[1:4]], *[weighed[0]] * parts]))
    assert abs(split[3:].sum() / whole[0] - 1) < 0.02


def test_an_estimate_is_near_the_exact_contributions() -> None:
    players = 12  # the most that is always enumerated
    _, base, _ = digits()
    given, weighed = updates(ESTIMATED)[:players], weights(ESTIMATED)[:players]
    exact = relative(played_fully(given, weighed))
    padded = [*given, *[{name: np.full_like(array, 1e-7) for name, array in base.items()}] * 3]
    estimated = relative(played(padded, [*weighed, 1, 1, 1]))[:players]
    assert np.linalg.norm(estimated - exact) < 0.02 * np.linalg.norm(exact)


def played_fully(given: Sequence[Parameters], weighed: Sequence[int]) -> Contributions:
    task, base, root = digits()
    return contribute(range(len(given)), RoundGame(task, [root], base, given, weighed), 0, bytes(32))
