"""The pieces that the statistics are made of, each against its definition."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from aggregator.evaluation.gate.geometry import Raw
from aggregator.evaluation.gate.nonnegative import nonnegative_coefficients
from aggregator.evaluation.gate.null import Null
from aggregator.evaluation.gate.strata import Strata
from aggregator.evaluation.gram import block_width, blocks, gram_of
from learning.data import Data
from protocol.parameters import Parameters


def rows(count: int, scale: float = 1) -> list[Parameters]:
    random = np.random.default_rng(count)
    shapes = {"a": (block_width(count) + 7,), "b": (3, 2), "c": ()}
    return [
        {name: (random.normal(size=shape) * scale).astype(np.float32) for name, shape in shapes.items()} for _ in range(count)
    ]


def dense(updates: list[Parameters]) -> np.ndarray:
    return np.stack([np.concatenate([array.ravel() for array in update.values()]) for update in updates]).astype(np.float64)


@pytest.mark.parametrize("scale", [1, 1e-38, 1e37])
def test_the_gram_matrix_is_that_of_the_whole_updates_at_any_scale(scale: float) -> None:
    updates = rows(4, scale)
    updates.append({name: np.zeros_like(array) for name, array in updates[0].items()})
    whole = dense(updates)
    found = gram_of(updates)
    expected = np.linalg.norm(whole, axis=1)
    np.testing.assert_allclose(found.norms, expected, rtol=1e-5)
    unit = whole[:4] / expected[:4, None]
    np.testing.assert_allclose(found.cosines[:4, :4], unit @ unit.T, atol=1e-5)
    assert not found.cosines[4].any()


def test_blocks_are_narrow_whatever_the_model_and_leave_nothing_out() -> None:
    updates = rows(3)
    parts = [part.copy() for part in blocks(updates)]
    assert max(part.shape[1] for part in parts) == block_width(3)
    assert np.array_equal(np.concatenate(parts, axis=1), dense(updates).astype(np.float32))


@given(st.integers(2, 8), st.integers(0, 1000))
def test_coefficients_are_those_of_non_negative_least_squares(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    basis, target = random.normal(size=(30, size)), random.normal(size=30)
    found = nonnegative_coefficients(basis.T @ basis, (basis.T @ target)[None])[0]
    expected, _ = nnls(basis, target)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_node_is_compared_with_what_is_usual_for_its_skew_and_size() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(5, 0.5), size=200)
    sizes = random.integers(20, 400, size=200)
    usual = 3 - 2 * np.log(np.square(shares).sum(axis=1)) + 0.5 * np.log(sizes)
    values = usual + 0.3 * random.normal(size=200)
    nodes = values[:50] + np.where(np.arange(50) < 25, 0, 1.5)
    null = Null((shares[:50], shares[50:]), (sizes[:50], sizes[50:]), 400)
    found = null.standardise(Raw(nodes, values[50:]), least_spread=0.01)
    assert abs(found[:25].mean()) < 0.5
    assert 0.6 < found[:25].std() < 1.5
    assert 4 < found[25:].mean() < 6
    assert null.standardise(Raw(nodes * 1e6, values[50:]), 0.01).max() == 16


@pytest.mark.parametrize(
    ("size", "distinct", "counts"), [(100, 400, 1.0), (6, 400, 1 / 4), (400, 225, 3 / 4), (400, 2, 1 / 3**0.5)]
)
def test_a_handful_of_samples_or_of_root_samples_tells_less(size: int, distinct: int, counts: float) -> None:
    shares, sizes = np.random.default_rng(0).dirichlet(np.ones(5), size=40), np.full(40, size)
    assert Null((shares[:1], shares), (sizes[:1], sizes), distinct).told == pytest.approx(counts)


def test_strata_are_the_classes_or_the_quarters_of_the_targets() -> None:
    features = torch.zeros(8, 1)
    classes = Data(features, torch.tensor([3, 3, 7, 7, 9, 9, 9, 3]))
    strata = Strata(classes, (Data(features[:1], torch.tensor([5])),))
    assert strata.count == 4
    assert strata.of(classes).tolist() == [0, 0, 2, 2, 3, 3, 3, 0]
    numbers = Data(features, torch.arange(8).float()[:, None])
    quarters = Strata(numbers, ())
    assert np.bincount(quarters.of(numbers)).tolist() == [2, 2, 2, 2]
    constant = Data(features, torch.zeros(8))
    assert set(Strata(constant, ()).of(constant)) <= {0, 1}
