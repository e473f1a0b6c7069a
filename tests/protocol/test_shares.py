import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FormatError
from protocol.shares import SCORE_TOTAL, largest_remainder, pack_scores, score_basis, unpack_scores

bases = st.lists(st.one_of(st.just(0), st.integers(0, 10), st.integers(0, 1 << 200)), max_size=40)
paying_bases = bases.filter(any)
totals = st.one_of(st.just(SCORE_TOTAL), st.integers(1, 100))


@given(paying_bases, totals)
def test_shares_sum_to_exactly_the_total(bases, total):
    assert sum(largest_remainder(bases, total)) == total


@given(paying_bases, totals)
def test_quota_rule_every_share_is_within_one_unit_of_its_quota(bases, total):
    for basis, share in zip(bases, largest_remainder(bases, total), strict=True):
        assert abs(share - Fraction(basis * total, sum(bases))) < 1


@given(paying_bases, totals)
def test_equal_bases_differ_by_at_most_one_and_the_lower_position_has_the_unit(bases, total):
    shares = largest_remainder(bases, total)
    for low in range(len(bases)):
        for high in range(low + 1, len(bases)):
            if bases[low] == bases[high]:
                assert shares[low] - shares[high] in (0, 1)


@given(paying_bases, totals)
def test_a_larger_basis_never_gets_a_smaller_share(bases, total):
    ranked = sorted(zip(bases, largest_remainder(bases, total), strict=True))
    for (basis, share), (larger_basis, larger_share) in itertools.pairwise(ranked):
        assert basis == larger_basis or share <= larger_share


@given(paying_bases, totals)
def test_who_has_no_basis_gets_nothing(bases, total):
    assert all(share == 0 for basis, share in zip(bases, largest_remainder(bases, total), strict=True) if basis == 0)


@given(paying_bases, st.integers(1, 1 << 64))
def test_only_proportions_matter(bases, factor):
    assert largest_remainder([basis * factor for basis in bases]) == largest_remainder(bases)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_without_any_basis_nobody_gets_anything(count: int):
    assert largest_remainder([0] * count) == (0,) * count


def test_negative_bases_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        largest_remainder([3, -1])


@given(st.integers(-(1 << 100), 1 << 100), st.integers(0, 1 << 100), st.integers(0, 10_000))
def test_a_score_basis_is_never_negative_and_never_more_than_the_contribution(contribution, error, z):
    basis = score_basis(contribution, error, z)
    assert 0 <= basis <= max(0, 1000 * contribution)
    if basis:
        assert basis == 1000 * contribution - z * error


@given(st.lists(st.integers(0, (1 << 24) - 1), max_size=50).filter(any))
def test_packed_scores_unpack_to_themselves(scores):
    assert unpack_scores(pack_scores(scores)) == tuple(scores)
    assert len(pack_scores(scores)) == 3 * len(scores)


def test_all_zero_has_one_encoding():
    assert pack_scores([0, 0]) == pack_scores([]) == b""
    assert unpack_scores(b"") == ()


@pytest.mark.parametrize("score", [1 << 24, -1])
def test_a_score_that_does_not_fit_is_refused(score: int):
    with pytest.raises(OverflowError):
        pack_scores([score])


@pytest.mark.parametrize("length", [1, 2, 4])
def test_half_a_score_is_refused(length: int):
    with pytest.raises(FormatError, match="3 bytes each"):
        unpack_scores(bytes(length))
