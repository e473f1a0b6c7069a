from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learning import elementary


@given(st.floats(-79, 0))
def test_exp_is_accurate_far_beyond_the_unit_of_scores(value: float) -> None:
    found = elementary.exp(torch.tensor([value], dtype=torch.float64))
    assert found.item() == pytest.approx(torch.tensor(value, dtype=torch.float64).exp().item(), rel=1e-9)


@given(st.floats(1e-300, 1e300))
def test_log_is_accurate(value: float) -> None:
    given_value = torch.tensor([value], dtype=torch.float64)
    assert elementary.log(given_value).item() == pytest.approx(given_value.log().item(), rel=1e-12, abs=1e-13)


def test_the_ends_of_the_range() -> None:
    ends = torch.tensor([0.0, -1e30, -torch.inf, torch.nan], dtype=torch.float64)
    one, least, same, nan = elementary.exp(ends).tolist()
    assert one == 1
    assert 0 < least == same < 1e-34
    assert nan != nan
    assert elementary.log(torch.tensor([1.0], dtype=torch.float64)).item() == 0


def test_every_step_is_one_rounding_of_ieee_754() -> None:
    # The same steps in exact fractions, each rounded once to the nearest double: what any machine must get.
    value = -0.73
    k = float(round(value * elementary._LOG2E))
    r = float(Fraction(value) - Fraction(float(Fraction(k) * Fraction(elementary._LN2_HIGH))))
    r = float(Fraction(r) - Fraction(float(Fraction(k) * Fraction(elementary._LN2_LOW))))
    series = 1 / 40320
    for power in range(7, -1, -1):
        factorial = 1
        for factor in range(2, power + 1):
            factorial *= factor
        series = float(Fraction(float(Fraction(series) * Fraction(r))) + Fraction(1 / factorial))
    assert elementary.exp(torch.tensor([value], dtype=torch.float64)).item() == series * 2.0**k
