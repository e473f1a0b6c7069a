"""Robust merges against what their papers say, written down on dense matrices."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aggregator.evaluation.merge import robust
from aggregator.evaluation.merge.robust import neighbour_mixing, products_of
from protocol.parameters import Parameters

Matrix = NDArray[np.float64]
Rule = Callable[..., dict[str, NDArray[np.float32]]]
SHAPES = {"weight": (5, 3), "bias": (), "empty": (0,), "large": (70_001,)}


def updates_of(count: int, seed: int) -> list[Parameters]:
    random = np.random.default_rng(seed)
    return [{name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()} for _ in range(count)]


def dense(updates: list[Parameters]) -> Matrix:
    return np.stack([np.concatenate([array.ravel() for array in update.values()]) for update in updates]).astype(np.float64)


def nearest_mixed(rows: Matrix, faulty: int) -> Matrix:
    distances = np.array([[np.sum((one - other) ** 2) for other in rows] for one in rows])
    return np.stack([rows[np.argsort(own)[: len(rows) - faulty]].mean(axis=0) for own in distances])


def krum(rows: Matrix, faulty: int) -> Matrix:
    kept = len(rows) - faulty
    distances = np.array([[np.sum((one - other) ** 2) for other in rows] for one in rows])
    scores = np.sort(distances, axis=1)[:, :kept].sum(axis=1)
    return rows[np.argsort(scores)[:kept]].mean(axis=0)


def weiszfeld(rows: Matrix, _: int) -> Matrix:
    point = rows.mean(axis=0)
    for _step in range(3):
        weights = 1 / np.maximum(np.linalg.norm(rows - point, axis=1), 0.1)
        point = weights @ rows / weights.sum()
    return point


def clipped(rows: Matrix, _: int) -> Matrix:
    point = np.zeros(rows.shape[1])
    for _step in range(2):
        apart = rows - point
        point = point + (apart * np.minimum(1, 200 / np.linalg.norm(apart, axis=1))[:, None]).mean(axis=0)
    return point


RULES: dict[str, tuple[Rule, Callable[[Matrix, int], Matrix]]] = {
    "multi-Krum": (robust.multi_krum, krum),
    "trimmed mean": (robust.trimmed_mean, lambda rows, f: np.sort(rows, axis=0)[f : len(rows) - f].mean(axis=0)),
    "median": (lambda updates, _, **m: robust.median(updates, **m), lambda rows, _: np.median(rows, axis=0)),
    "geometric median": (lambda updates, _, **m: robust.geometric_median(updates, **m), weiszfeld),
    "centred clipping": (lambda updates, _, **m: robust.centred_clipping(updates, 200, 2, **m), clipped),
}


@pytest.mark.parametrize("mix", [False, True], ids=["alone", "after NNM"])
@pytest.mark.parametrize("count", [6, 9])
@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_what_its_paper_says(name: str, count: int, mix: bool) -> None:
    ours, oracle = RULES[name]
    updates = updates_of(count, seed=count)
    before = dense(updates)
    mixing = neighbour_mixing(products_of(updates), 2) if mix else None
    merged = ours(updates, 2, mixing=mixing)
    expected = oracle(nearest_mixed(before, 2) if mix else before, 2)
    assert {key: array.shape for key, array in merged.items()} == SHAPES
    assert all(array.dtype == np.float32 for array in merged.values())
    np.testing.assert_allclose(dense([merged])[0], expected, atol=2e-5)
    assert np.array_equal(dense(updates), before), "the input must not change"


@given(st.sampled_from(sorted(RULES)), st.integers(3, 8), st.integers(0, 100))
def test_identical_updates_merge_to_themselves_and_order_does_not_matter(name: str, count: int, seed: int) -> None:
    ours, _ = RULES[name]
    small = [{"weight": row["weight"]} for row in updates_of(count, seed)]
    merged = ours(small, 1)["weight"]
    np.testing.assert_allclose(ours(small[::-1], 1)["weight"], merged, atol=1e-5)
    np.testing.assert_allclose(ours([small[0]] * count, 1)["weight"], small[0]["weight"], atol=1e-5)


@pytest.mark.parametrize("name", ["multi-Krum", "trimmed mean", "median", "geometric median"])
def test_a_few_liars_cannot_take_the_merge_away(name: str) -> None:
    honest = updates_of(7, seed=1)
    liars: list[Parameters] = [{key: array * np.float32(1e3) for key, array in one.items()} for one in updates_of(2, seed=2)]
    # The geometric median walks there from the mean.
    rule = partial(robust.geometric_median, iterations=50) if name == "geometric median" else partial(RULES[name][0], faulty=2)
    merged = rule(honest + liars) if name != "median" else robust.median(honest + liars)
    assert np.abs(dense([merged])).max() < 10


def test_what_cannot_be_merged_is_said() -> None:
    with pytest.raises(ValueError, match="no update"):
        robust.median([])
    with pytest.raises(ValueError, match="3 faulty of 3"):
        robust.multi_krum(updates_of(3, 0), 3)
    with pytest.raises(ValueError, match="leaves nothing of 4"):
        robust.trimmed_mean(updates_of(4, 0), 2)
