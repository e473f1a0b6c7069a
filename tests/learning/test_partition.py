import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import DataError
from learning.partition import Share, dirichlet_shares, even_shares, parse_share, stratified_order

SEEDS = st.integers(0, 2**32 - 1)
TARGETS = st.lists(st.integers(-3, 9), min_size=1, max_size=120).map(lambda labels: np.array(labels, dtype=np.int64))


def _is_partition(shares: tuple[np.ndarray, ...], samples: int) -> bool:
    ascending = all((np.diff(share) > 0).all() for share in shares)
    return ascending and np.array_equal(np.sort(np.concatenate(shares)), np.arange(samples))


@given(TARGETS, SEEDS, st.floats(1e-3, 1e3), st.data())
def test_dirichlet_shares_are_disjoint_cover_everything_and_are_large_enough(
    targets: np.ndarray, seed: int, alpha: float, choice: st.DataObject
) -> None:
    parts = choice.draw(st.integers(1, len(targets)))
    minimum = choice.draw(st.integers(1, len(targets) // parts))
    shares = dirichlet_shares(targets, parts, alpha, seed, minimum)
    assert len(shares) == parts
    assert _is_partition(shares, len(targets))
    assert min(map(len, shares)) >= minimum
    again = dirichlet_shares(targets, parts, alpha, seed, minimum)
    assert all(np.array_equal(one, other) for one, other in zip(shares, again, strict=True))


@given(st.integers(1, 200), SEEDS, st.data())
def test_even_shares_differ_by_one_sample_at_most(samples: int, seed: int, choice: st.DataObject) -> None:
    shares = even_shares(samples, choice.draw(st.integers(1, samples)), seed)
    assert _is_partition(shares, samples)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(TARGETS, SEEDS)
def test_every_prefix_of_the_stratified_order_is_stratified(targets: np.ndarray, seed: int) -> None:
    order = stratified_order(targets, seed)
    assert np.array_equal(np.sort(order), np.arange(len(targets)))
    labels, counts = np.unique(targets, return_counts=True)
    seen = np.cumsum(targets[order][:, None] == labels, axis=0)
    due = np.arange(1, len(targets) + 1)[:, None] / len(targets) * counts
    assert (abs(seen - due) <= 0.5 + len(labels) * counts / (2 * len(targets)) + 1e-9).all()


def test_a_smaller_alpha_is_more_skewed() -> None:
    targets = np.repeat(np.arange(10), 100)

    def skew(alpha: float) -> float:
        shares = dirichlet_shares(targets, 8, alpha, seed=5, minimum=10)
        return float(np.mean([np.bincount(targets[share], minlength=10).max() / len(share) for share in shares]))

    assert skew(0.05) > skew(0.5) > skew(100.0)
    assert skew(100.0) < 0.2


def test_another_seed_gives_other_shares() -> None:
    targets = np.repeat(np.arange(10), 20)
    first, second = (dirichlet_shares(targets, 4, 0.5, seed) for seed in (1, 2))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert not np.array_equal(stratified_order(targets, 1), stratified_order(targets, 2))


def test_a_tiny_alpha_gives_each_class_to_one_part() -> None:
    targets = np.repeat(np.arange(4), 25)
    shares = dirichlet_shares(targets, 3, 1e-320, seed=3)
    owners = [sum(label in targets[share] for share in shares) for label in range(4)]
    # Filling up empty parts may take single samples away from an owner.
    assert sum(owners) <= 4 + 2


@pytest.mark.parametrize(("parts", "minimum"), [(0, 1), (11, 1), (4, 3), (2, 0)])
def test_impossible_divisions_are_refused(parts: int, minimum: int) -> None:
    with pytest.raises(DataError, match="cannot be divided"):
        dirichlet_shares(np.zeros(10, dtype=np.int64), parts, 0.5, 1, minimum)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_alpha_must_be_positive(alpha: float) -> None:
    with pytest.raises(DataError, match="positive"):
        dirichlet_shares(np.zeros(10, dtype=np.int64), 2, alpha, 1)


def test_shares_are_named_by_number_and_parts() -> None:
    assert parse_share("3/8") == Share(3, 8, even=False)
    assert parse_share("8/8 iid") == Share(8, 8, even=True)
    for text in ("", "0/8", "9/8", "3/0", "-1/8", "3/8iid", "3 / 8", "3/8 ", "03/8", "٣/٨", "1/9999999999"):
        assert parse_share(text) is None, text
