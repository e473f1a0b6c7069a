from fractions import Fraction
from itertools import permutations
from math import comb, lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.evaluation.contributions.design import ENUMERATION_LIMIT, Design, choose_design
from aggregator.evaluation.contributions.game import members
from tests.aggregator.evaluation.games import KNOWN, Game, Value, additive, airport, graph, majority, spanning_tree

SEED = bytes(range(32))
LARGE = (13, 14, 20)
PAIRS = 3


def shapley(design: Design, value: Value) -> tuple[Fraction, ...]:
    utilities = [value(coalition) for coalition in design.coalitions]
    numerators = [sum(int(c) * u for c, u in zip(row, utilities, strict=True)) for row in design.coefficients]
    return tuple(Fraction(numerator, design.denominator) for numerator in numerators)


def by_definition(players: int, value: Value) -> tuple[Fraction, ...]:
    """The mean marginal over all orders: Shapley's own definition, as slow as it is plain."""
    totals, orders = [0] * players, list(permutations(range(players)))
    for order in orders:
        mask = 0
        for player in order:
            totals[player] += value(mask | 1 << player) - value(mask)
            mask |= 1 << player
    return tuple(Fraction(total, len(orders)) for total in totals)


def relabelled(mask: int, new: tuple[int, ...]) -> int:
    return sum(1 << new[player] for player in members(mask))


@pytest.mark.parametrize("game", KNOWN, ids=str)
def test_enumeration_gives_the_known_values_exactly(game: Game) -> None:
    assert shapley(choose_design(game.players, PAIRS, SEED), game.value) == game.shapley


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.integers(-(2**50), 2**50), min_size=1 << n, max_size=1 << n)))
def test_enumeration_is_the_definition(values: list[int]) -> None:
    players = len(values).bit_length() - 1
    assert shapley(choose_design(players, PAIRS, SEED), values.__getitem__) == by_definition(players, values.__getitem__)


@pytest.mark.parametrize("players", range(1, ENUMERATION_LIMIT + 1))
def test_every_weight_of_the_enumeration_is_an_integer(players: int) -> None:
    denominator = choose_design(players, PAIRS, SEED).denominator
    assert denominator == lcm(*range(1, players + 1))
    assert all(denominator % (players * comb(players - 1, size)) == 0 for size in range(players))


@pytest.mark.parametrize("players", [0, 1, 2, 5, ENUMERATION_LIMIT, *LARGE])
def test_the_laws_of_every_design(players: int) -> None:
    design = choose_design(players, PAIRS, SEED)
    assert design.coefficients.shape == (players, len(design.coalitions))
    assert design.coefficients.dtype == np.int64
    assert (design.coalitions[0], design.coalitions[-1]) == (0, (1 << players) - 1)
    assert list(design.coalitions) == sorted(set(design.coalitions))
    if players:
        efficiency = np.zeros(len(design.coalitions), np.int64)
        efficiency[[0, -1]] = -design.denominator, design.denominator
        assert (design.coefficients.sum(0) == efficiency).all()
    for player, row in enumerate(design.coefficients):
        assert row.sum() == 0
        joined = [bool(coalition >> player & 1) for coalition in design.coalitions]
        assert row[joined].sum() == design.denominator
        assert (row[joined] >= 0).all()


@pytest.mark.parametrize("players", [ENUMERATION_LIMIT, *LARGE])
def test_a_null_player_gets_exactly_nothing_and_a_dummy_its_own_worth(players: int) -> None:
    null, dummy = 4, 7

    def value(mask: int) -> int:
        others = mask & ~(1 << null | 1 << dummy)
        return others * 2654435761 % 1000003 + 12345 * (mask >> dummy & 1)

    found = shapley(choose_design(players, PAIRS, SEED), value)
    assert (found[null], found[dummy]) == (0, 12345)


@pytest.mark.parametrize("players", [ENUMERATION_LIMIT, *LARGE])
def test_contributions_to_two_games_add_up(players: int) -> None:
    design, one, other = choose_design(players, PAIRS, SEED), majority(players), airport(tuple(range(1, players + 1)))
    both = shapley(design, lambda mask: 3 * one.value(mask) - 5 * other.value(mask))
    apart = zip(shapley(design, one.value), shapley(design, other.value), strict=True)
    assert both == tuple(3 * a - 5 * b for a, b in apart)


@pytest.mark.parametrize("players", LARGE)
def test_permutations_are_exact_where_at_most_two_act_together(players: int) -> None:
    # In a pair of a permutation and its reverse each of two players once finds the other there: antithetic sampling is exact.
    design = choose_design(players, PAIRS, SEED)
    for game in (graph(players), additive(tuple(range(players)))):
        assert shapley(design, game.value) == game.shapley


def test_permutations_come_close_to_the_known_values() -> None:
    # A fixed seed makes this deterministic. The bound is five standard errors of 400 single permutations' marginals in {0, 1}.
    game = majority(15)
    found = shapley(choose_design(15, 200, SEED), game.value)
    bound = 5 * (1 / 15 * 14 / 15 / 400) ** 0.5
    assert all(abs(float(ours - known)) < bound for ours, known in zip(found, game.shapley, strict=True))
    assert sum(found) == 1


@given(st.permutations(range(6)))
def test_relabelling_the_players_relabels_the_values(new: list[int]) -> None:
    design, game = choose_design(6, PAIRS, SEED), airport((1, 2, 2, 5, 9, 14))
    old = {relabelled(mask, tuple(new)): mask for mask in design.coalitions}
    found = shapley(design, lambda mask: game.value(old[mask]))
    assert tuple(found[new[player]] for player in range(6)) == game.shapley


def test_symmetric_players_get_the_same_by_enumeration_but_only_nearly_by_permutations() -> None:
    twins = spanning_tree(ENUMERATION_LIMIT)
    assert len(set(shapley(choose_design(ENUMERATION_LIMIT, PAIRS, SEED), twins.value))) == 1
    # Sampling treats nobody better in expectation, but the few orders that were drawn are not symmetric themselves.
    assert len(set(shapley(choose_design(13, PAIRS, SEED), majority(13).value))) > 1


def test_permutations_visit_the_coalitions_on_their_way_and_no_others() -> None:
    design = choose_design(14, PAIRS, SEED)
    assert design.denominator == 2 * PAIRS
    assert len(design.coalitions) == 2 + 2 * PAIRS * 13  # no two orders of this seed share a coalition
    assert design.coalitions != choose_design(14, PAIRS, bytes(32)).coalitions
    # Each order reversed: the complement of every coalition is met as well.
    assert set(design.coalitions) == {(1 << 14) - 1 - coalition for coalition in design.coalitions}
