"""Trainings in a stack against the same trainings one by one, which are the oracle."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learning.cohort import train_many
from learning.data import Data
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.task import Task
from learning.tasks.digits import Digits
from learning.training import train

RECIPES = [
    Recipe("sgd", 0.1, 16, 2),
    Recipe("sgd", 0.05, 16, 2, momentum=0.9, weight_decay=1e-3),
    Recipe("adam", 0.01, 16, 2, weight_decay=1e-3),
]


class Dropping(Digits):
    """A model that vmap cannot take: every copy would have to draw its own dropout."""

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 10))


class Frozen(Digits):
    """The first layer is not to be trained."""

    def model(self) -> nn.Module:
        model = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
        model[0].requires_grad_(requires_grad=False)
        return model


class Remembering(Digits):
    """A model with a buffer that changes in training."""

    class _Counting(nn.Module):
        seen: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(64, 10)
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, features: Tensor) -> Tensor:
            self.seen += 1
            return self.inner(features)

    def model(self) -> nn.Module:
        return self._Counting()


def shares(task: Task, sizes: tuple[int, ...]) -> list[Data]:
    training = task.load("training")
    return [training.take(np.arange(size) + 37 * k) for k, size in enumerate(sizes)]


def assert_as_one_by_one(task: Task, recipe: Recipe, sizes: tuple[int, ...]) -> None:
    base, datas = initial_parameters(task, 3), shares(task, sizes)
    found = train_many(task, base, datas, recipe, range(5, 5 + len(sizes)))
    for seed, (data, update) in enumerate(zip(datas, found, strict=True), start=5):
        expected = train(task, base, data, recipe, seed)
        assert update is not None
        assert list(update) == list(expected)
        for name, array in expected.items():
            assert update[name].dtype == np.float32
            np.testing.assert_allclose(update[name], array, atol=2e-6)


@pytest.mark.parametrize("recipe", RECIPES, ids=["sgd", "momentum", "adam"])
def test_a_stack_learns_what_each_would_alone(recipe: Recipe) -> None:
    # Full batches, last batches of different lengths, one sample, and holders who are done before others.
    assert_as_one_by_one(Digits(), recipe, (48, 33, 1, 80, 33))


@pytest.mark.parametrize("task", [Dropping(), Frozen(), Remembering()], ids=["random layers", "frozen weights", "buffers"])
def test_models_that_cannot_be_stacked_are_trained_one_by_one(task: Task) -> None:
    assert_as_one_by_one(task, RECIPES[0], (20, 33))


def test_the_same_arguments_give_the_same_bytes_and_leave_the_random_state() -> None:
    task = Digits()
    base, datas = initial_parameters(task, 0), shares(task, (20, 40))
    state = torch.get_rng_state()
    first, second = (train_many(task, base, datas, RECIPES[0], (1, 2)) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    for one, other in zip(first, second, strict=True):
        assert one is not None
        assert other is not None
        assert all(one[name].tobytes() == other[name].tobytes() for name in base)


@pytest.mark.parametrize("task", [Digits(), Dropping()], ids=["stacked", "one by one"])
def test_a_training_that_diverges_is_told_and_leaves_the_others(task: Task) -> None:
    datas = shares(task, (32, 32))
    wild = Data(datas[0].features * 1e30, datas[0].targets)
    wild_update, update = train_many(task, initial_parameters(task, 0), [wild, datas[1]], RECIPES[1], (1, 2))
    assert wild_update is None
    assert update is not None


def test_nobody_and_a_seed_too_few() -> None:
    task = Digits()
    base = initial_parameters(task, 0)
    assert train_many(task, base, [], RECIPES[0], []) == []
    with pytest.raises(ValueError, match="2 data sets with 1 seeds"):
        train_many(task, base, shares(task, (5, 5)), RECIPES[0], [1])
