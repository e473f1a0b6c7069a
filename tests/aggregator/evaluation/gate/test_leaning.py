"""Which samples are taken for alike: those of one kind of inputs, the same ones on every machine, whatever the inputs' scale."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.evaluation.gate.leaning import leanings
from learning.data import Data
from tests.support.rounds import digits


def mixed(shape: tuple[int, ...] = (4, 4), seed: int = 0) -> tuple[Data, np.ndarray, np.ndarray]:
    """Three classes of forty images, every third of them a negative: data, classes, and which are negatives."""
    random = np.random.RandomState(seed)
    kinds = np.arange(120) % 3
    images = random.rand(3, *shape)[kinds] * 0.5 + random.rand(120, *shape) * 0.2
    negative = np.arange(120) // 3 % 3 == 0
    images[negative] = 1 - images[negative]
    return Data(torch.from_numpy(images.astype(np.float32)), torch.from_numpy(kinds)), kinds, negative


@pytest.mark.parametrize("one", [0, 3])
def test_samples_of_the_drawn_ones_kind_lean_most_in_every_class(one: int) -> None:
    data, kinds, negative = mixed()
    assert negative[one] == (one == 0)
    leaning = leanings(data, kinds, [one])[:, 0]
    for kind in range(3):
        alike, others = (leaning[(kinds == kind) & (negative == side)] for side in (negative[one], not negative[one]))
        assert alike.min() > others.max()


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(1e-30, 1e30), offset=st.floats(-1e3, 1e3), drawn=st.lists(st.integers(0, 119), min_size=1, max_size=4))
def test_every_value_is_an_integer_whatever_the_inputs_scale(scale: float, offset: float, drawn: list[int]) -> None:
    data, kinds, _ = mixed()
    scaled = Data((data.features * scale + offset).clamp(-3e38, 3e38), data.targets)
    found = leanings(scaled, kinds, drawn)
    assert found.shape == (120, len(drawn))
    assert np.array_equal(found, np.rint(found))
    assert np.abs(found).max() <= 255 * 255 * 16


def test_the_order_of_adding_and_the_size_of_blocks_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = digits().root_set
    kinds = whole.targets.numpy()
    expected = leanings(whole, kinds, [0, 5, 9])
    monkeypatch.setattr("aggregator.evaluation.gate.leaning._FLOATS", 1)
    assert np.array_equal(leanings(whole, kinds, [0, 5, 9]), expected)
    turned = Data(whole.features.flip(1), whole.targets)
    assert np.array_equal(leanings(turned, kinds, [0, 5, 9]), expected)


def test_inputs_that_are_all_the_same_lean_nowhere() -> None:
    assert not leanings(Data(torch.full((6, 2), 3.0), torch.arange(6) % 2), np.arange(6) % 2, [0, 1]).any()
