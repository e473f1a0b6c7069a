"""Every estimator on games whose Shapley values are known from theory, and the laws that Shapley asks for."""

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from math import comb, lcm
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.evaluation.contributions.enumeration import every_coalition, exact_weights
from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR, Estimate, Estimator, Outcome
from aggregator.evaluation.contributions.estimators import enumerate_game, krige, leverage
from aggregator.evaluation.contributions.game import members
from aggregator.evaluation.contributions.method import estimate
from tests.aggregator.evaluation.contributions.tables import TableGame
from tests.aggregator.evaluation.games import KNOWN, Game, Value, additive, airport, graph, majority

SEED = bytes(range(32))
SCALE = 1 << 30


def values(found: Estimate) -> tuple[Fraction, ...]:
    return tuple(Fraction(value, found.denominator) for value in found.contributions)


def exact(players: int, value: Value) -> tuple[Fraction, ...]:
    return values(enumerate_game(TableGame(players, value)))


def kriged(players: int, value: Value, evaluations: int) -> Estimate:
    found = krige(TableGame(players, value), evaluations, SEED)
    assert isinstance(found, Estimate)
    return found


def by_definition(players: int, value: Value) -> tuple[Fraction, ...]:
    """The mean marginal over all orders: Shapley's own definition, as slow as it is plain."""
    totals, orders = [0] * players, list(permutations(range(players)))
    for order in orders:
        mask = 0
        for player in order:
            totals[player] += value(mask | 1 << player) - value(mask)
            mask |= 1 << player
    return tuple(Fraction(total, len(orders)) for total in totals)


@pytest.mark.parametrize("game", KNOWN, ids=str)
def test_enumeration_gives_the_known_values_exactly(game: Game) -> None:
    assert exact(game.players, game.value) == game.shapley


@given(st.integers(0, 5).flatmap(lambda n: st.lists(st.integers(-(2**50), 2**50), min_size=1 << n, max_size=1 << n)))
def test_enumeration_is_the_definition(table: list[int]) -> None:
    players = len(table).bit_length() - 1
    assert exact(players, table.__getitem__) == by_definition(players, table.__getitem__)


@pytest.mark.parametrize("players", range(1, 17))
def test_every_weight_of_the_enumeration_is_an_integer(players: int) -> None:
    weights, denominator = exact_weights(players)
    assert denominator == lcm(*range(1, players + 1))
    assert all(denominator % (players * comb(players - 1, size)) == 0 for size in range(players))
    # Joining a coalition of size s: s + 1 players are in it then.
    assert (weights[1:, 0] == -weights[:-1, 1]).all()


@pytest.mark.parametrize("players", [0, 1, 2, 5])
def test_every_coalition_once_and_next_to_its_complement(players: int) -> None:
    coalitions = every_coalition(players)
    assert sorted(coalitions) == list(range(1 << players))
    full = (1 << players) - 1
    assert all(one ^ other == full for one, other in zip(coalitions[::2], coalitions[1::2], strict=False))


def worth_of(game: TableGame) -> Callable[[int], int]:
    """The game's value, of one sample: a number."""
    return cast("Callable[[int], int]", game._value)


ESTIMATORS: dict[str, Callable[[TableGame], Estimate]] = {
    "leverage": lambda game: leverage(game, 12 * game.players, SEED),
    "kriging": lambda game: kriged(game.players, worth_of(game), 12 * game.players),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("players", [13, 14, 20])
def test_estimates_sum_to_the_gain_and_are_exact_for_additive_games(name: str, players: int) -> None:
    worths = tuple((7 * k * k) % 23 - 5 for k in range(players))
    game = additive(tuple(SCALE * worth for worth in worths))
    found = ESTIMATORS[name](TableGame(players, game.value))
    assert found.denominator == SOLVE_DENOMINATOR
    assert sum(found.contributions) == SOLVE_DENOMINATOR * (game.value((1 << players) - 1) - game.value(0))
    assert [float(value) for value in values(found)] == pytest.approx([float(v) for v in game.shapley], abs=2e-5 * SCALE)
    assert max(found.estimation_errors) < 1e-4 * SCALE * SOLVE_DENOMINATOR


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimates_are_exact_where_at_most_two_act_together(name: str) -> None:
    # Paired coalitions cancel what two do together: Musco and Witter; PolySHAP (Fumagalli et al., ICLR 2026).
    game = graph(14)
    found = ESTIMATORS[name](TableGame(14, lambda mask: SCALE * game.value(mask)))
    assert [float(v) / SCALE for v in values(found)] == pytest.approx([float(v) for v in game.shapley], abs=1e-3)


@pytest.mark.parametrize("game", [airport(tuple(range(1, 16))), majority(15)], ids=str)
def test_leverage_comes_close_to_the_known_values(game: Game) -> None:
    found = leverage(TableGame(15, lambda mask: SCALE * game.value(mask)), 4000, SEED)
    ours = np.array([float(value) for value in values(found)]) / SCALE
    true = np.array([float(value) for value in game.shapley])
    errors = np.array(found.estimation_errors) / SOLVE_DENOMINATOR / SCALE
    assert np.linalg.norm(ours - true) < 0.15 * np.linalg.norm(true)
    assert 0.3 < np.sqrt(np.mean(((ours - true) / errors) ** 2)) < 2


@pytest.mark.parametrize("players", [6, 13])
def test_contributions_of_samples_add_up(players: int) -> None:
    one, other = majority(players), airport(tuple(range(1, players + 1)))
    both = TableGame(players, lambda mask: (3000 * one.value(mask), 5000 * other.value(mask)))
    for solve in (lambda game: enumerate_game(game), lambda game: leverage(game, 100, SEED)):
        apart = [
            solve(TableGame(players, worth))
            for worth in (lambda mask: 3000 * one.value(mask), lambda mask: 5000 * other.value(mask))
        ]
        together = solve(both)
        for whole, *parts in zip(together.contributions, *(part.contributions for part in apart), strict=True):
            assert abs(whole - sum(parts)) <= (0 if together.denominator != SOLVE_DENOMINATOR else 2 + players)


@given(st.permutations(range(6)))
def test_relabelling_the_players_relabels_the_values(new: list[int]) -> None:
    game = airport((1, 2, 2, 5, 9, 14))
    old = {sum(1 << new[player] for player in members(mask)): mask for mask in range(64)}
    found = exact(6, lambda mask: game.value(old[mask]))
    assert tuple(found[new[player]] for player in range(6)) == game.shapley


def test_estimates_depend_on_the_seed_and_on_nothing_else() -> None:
    game = TableGame(15, lambda mask: SCALE * (mask * 2654435761 % 1009))
    one, same, other = (leverage(game, 100, seed) for seed in (SEED, SEED, bytes(32)))
    assert one == same
    assert one != other


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_the_error_of_leverage_is_calibrated(salt: int) -> None:
    # A game of three-way interactions, which sampling does not see exactly; errors in units of their standard error.
    random = np.random.default_rng(salt)
    triples = [tuple(random.choice(13, 3, replace=False)) for _ in range(60)]
    worth = random.integers(-SCALE, SCALE, 60)

    def value(mask: int) -> int:
        return int(sum(w for triple, w in zip(triples, worth, strict=True) if all(mask >> int(i) & 1 for i in triple)))

    true = np.zeros(13)
    for triple, w in zip(triples, worth, strict=True):
        true[list(triple)] += w / 3
    found = leverage(TableGame(13, value), 300, salt.to_bytes(32))
    deviations = (np.array([float(v) for v in values(found)]) - true) / (np.array(found.estimation_errors) / SOLVE_DENOMINATOR)
    assert 0.3 < np.sqrt(np.mean(deviations**2)) < 2.5


def test_the_estimator_follows_from_players_and_cost() -> None:
    def chosen(players: int, affordable: int) -> tuple[Estimator, ...]:
        game = TableGame(players, lambda mask: SCALE * mask.bit_count())
        return tuple(stage.estimator for stage in estimate(game, affordable, SEED).stages)

    assert chosen(12, 0) == (Estimator.ENUMERATION,)
    assert chosen(13, (1 << 13) - 1) == (Estimator.KRIGING,)
    assert chosen(13, 1 << 13) == (Estimator.ENUMERATION,)
    assert chosen(17, 1 << 40) == (Estimator.KRIGING,)


def test_a_design_that_fails_its_certificate_is_doubled_and_then_given_up() -> None:
    # Worths that have nothing to do with one another cannot be interpolated.
    game = TableGame(14, lambda mask: SCALE * (mask * 2654435761 % 1009))
    found = estimate(game, 200, SEED)
    kinds = [(stage.estimator, stage.outcome) for stage in found.stages]
    assert kinds == [
        (Estimator.KRIGING, Outcome.NOT_CERTIFIED),
        (Estimator.KRIGING, Outcome.NOT_CERTIFIED),
        (Estimator.KRIGING, Outcome.NOT_CERTIFIED),
        (Estimator.LEVERAGE, Outcome.USED),
    ]
    assert [stage.evaluations for stage in found.stages] == sorted(stage.evaluations for stage in found.stages)
    assert sum(found.contributions) == SOLVE_DENOMINATOR * (worth_of(game)((1 << 14) - 1) - worth_of(game)(0))
    assert min(found.estimation_errors) > 0


def test_a_constant_game_pays_nobody() -> None:
    for players in (5, 14):
        found = estimate(TableGame(players, lambda mask: (5, 7)), 10**6, SEED)
        assert set(found.contributions) == set(found.estimation_errors) == {0}
