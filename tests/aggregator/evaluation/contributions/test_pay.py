from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.evaluation.contributions.pay import share_out
from protocol.shares import SCORE_TOTAL

CONTRIBUTIONS = st.dictionaries(st.integers(0, 8190), st.integers(-(1 << 100), 1 << 100), max_size=12)


@given(CONTRIBUTIONS, st.integers(0, 3000))
def test_scores_sum_to_exactly_the_total_or_to_nothing(contributions: dict[int, int], z: int) -> None:
    errors = {node: abs(contribution) // 3 for node, contribution in contributions.items()}
    pay = share_out(contributions, errors, gain=1, tolerance=0, z_thousandths=z)
    assert sum(pay.scores.values()) == (SCORE_TOTAL if pay.total_basis else 0)
    assert pay.scores.keys() == pay.bases.keys() == contributions.keys()
    for node, contribution in contributions.items():
        assert pay.bases[node] == max(0, 1000 * contribution - z * errors[node])
        if pay.total_basis:
            assert abs(pay.scores[node] - Fraction(SCORE_TOTAL * pay.bases[node], pay.total_basis)) < 1
        if contribution <= 0:
            assert pay.scores[node] == 0


@pytest.mark.parametrize(("gain", "paid"), [(-5, False), (0, False), (20, False), (21, True)])
def test_a_gain_within_its_tolerance_pays_nobody(gain: int, paid: bool) -> None:
    pay = share_out({1: 30, 2: 10}, {1: 0, 2: 0}, gain, tolerance=20, z_thousandths=0)
    assert (sum(pay.scores.values()) == SCORE_TOTAL) is paid
    assert any(pay.bases.values()) is paid


def test_without_any_gain_even_a_tolerance_of_zero_pays_nobody() -> None:
    assert share_out({1: 30}, {1: 0}, gain=0, tolerance=0, z_thousandths=0).scores == {1: 0}


def test_z_takes_standard_errors_off_the_basis() -> None:
    pay = share_out({1: 30, 2: 30, 3: 30}, {1: 0, 2: 10, 3: 20}, gain=1, tolerance=0, z_thousandths=1500)
    assert pay.bases == {1: 30_000, 2: 15_000, 3: 0}
    assert pay.scores == {1: 6_666_667, 2: 3_333_333, 3: 0}


def test_z_can_leave_nobody_to_pay() -> None:
    pay = share_out({1: 30}, {1: 30}, gain=30, tolerance=0, z_thousandths=1000)
    assert (pay.scores, pay.total_basis) == ({1: 0}, 0)


def test_what_cannot_be_divided_goes_to_the_lowest_index() -> None:
    pay = share_out({9: 1, 2: 1, 5: 1}, {9: 0, 2: 0, 5: 0}, gain=1, tolerance=0, z_thousandths=0)
    assert pay.scores == {2: 3_333_334, 5: 3_333_333, 9: 3_333_333}


def test_nobody_is_paid_where_nobody_plays() -> None:
    assert share_out({}, {}, gain=0, tolerance=0, z_thousandths=0).scores == {}
