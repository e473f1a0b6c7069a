from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, folded_sum
from aggregator.evaluation.gate.statistics import norm as norm_of

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
UPDATES = st.lists(arrays(np.float32, array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=9), elements=FINITE), max_size=4)


def norm(*arrays: object) -> int:
    return norm_of({str(k): np.asarray(array, np.float32) for k, array in enumerate(arrays)})


@given(UPDATES)
def test_the_norm_is_the_exact_one_but_for_float64(tensors: list[np.ndarray]) -> None:
    exact = sum((Fraction(float(value)) ** 2 for array in tensors for value in array.ravel()), Fraction())
    scaled = exact * STATISTIC_UNIT**2
    root = Fraction(isqrt(scaled.numerator * scaled.denominator << 40), scaled.denominator << 20)
    assert root * (1 - Fraction(1, 1 << 48)) <= norm(*tensors) <= root * (1 + Fraction(1, 1 << 48)) + 1


def test_the_norm_is_over_all_tensors_in_units_of_2_to_the_minus_20() -> None:
    assert norm([[3.0]], [4.0], 0.0) == 5 * STATISTIC_UNIT
    assert norm(2**-20) == 1
    assert norm(-(2**-19)) == 2


@pytest.mark.parametrize("smallest", [1e-45, -1e-45, 1e-20])
def test_only_an_update_of_zeros_has_norm_zero(smallest: float) -> None:
    assert norm([0.0, -0.0], 0.0) == 0
    assert norm() == 0
    assert norm([0.0, smallest]) == 1


def test_the_largest_update_of_all_still_has_a_norm_that_fits_its_leaf() -> None:
    found = norm(np.full(1000, np.finfo(np.float32).max), np.full(1000, np.finfo(np.float32).min))
    assert 2**150 < found < 2**255


@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(-1e30, 1e30)))
def test_the_fold_adds_in_the_one_order_that_is_written_down(values: np.ndarray) -> None:
    plain = values.tolist()
    while len(plain) > 1:
        half = len(plain) // 2
        plain = [plain[k] + plain[k + half] for k in range(half)] + plain[2 * half :]
    assert folded_sum(values) == (plain[0] if plain else 0)
