"""Wilson's interval, against values that are known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.calibration.rates import Rate, pooled


def test_known_intervals() -> None:
    # Newcombe, Statistics in Medicine 1998, table I, method 3.
    assert Rate(81, 263).interval() == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Rate(15, 148).interval() == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert Rate(0, 20).interval() == pytest.approx((0, 0.1611), abs=1e-4)
    assert Rate(29, 29).interval() == pytest.approx((0.8830, 1), abs=1e-4)


def test_nothing_was_tried() -> None:
    assert math.isnan(Rate(0, 0).value)
    assert Rate(0, 0).interval() == (0.0, 1.0)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_is_in_its_interval(counts: tuple[int, int]) -> None:
    rate = Rate(*counts)
    low, high = rate.interval()
    assert 0 <= low <= rate.value + 1e-12
    assert rate.value - 1e-12 <= high <= 1


def test_pooling_counts_every_trial() -> None:
    assert pooled([Rate(1, 2), Rate(3, 10)]) == Rate(4, 12)
    assert pooled([]) == Rate(0, 0)
