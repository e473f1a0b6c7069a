"""Every step is the one that `torch.optim` takes."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from learning.optimizer import Optimizer
from learning.recipe import Recipe

LIKE_TORCH: dict[str, tuple[Recipe, Callable[[Iterable[Tensor]], torch.optim.Optimizer]]] = {
    "plain": (Recipe("sgd", 0.1, 8, 1), lambda weights: torch.optim.SGD(weights, 0.1)),
    "momentum and decay": (
        Recipe("sgd", 0.1, 8, 1, momentum=0.9, weight_decay=0.01),
        lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9, weight_decay=0.01),
    ),
    "adam": (
        Recipe("adam", 0.005, 8, 1, weight_decay=0.1),
        lambda weights: torch.optim.Adam(weights, 0.005, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_every_step_is_that_of_torch(name: str) -> None:
    recipe, theirs = LIKE_TORCH[name]
    one, other = (nn.Sequential(nn.Linear(20, 9), nn.ReLU(), nn.Linear(9, 5)) for _ in range(2))
    other.load_state_dict(one.state_dict())
    ours, torchs = Optimizer(one, recipe), theirs(other.parameters())
    torch.manual_seed(1)
    for step in range(20):
        features = torch.randn(30, 20)
        ours.forget()
        torchs.zero_grad()
        for module in (one, other):
            # In every third step the last layer is left out, and has no gradient.
            (module[0](features) if step % 3 == 2 else module(features)).square().mean().backward()
        ours.step()
        torchs.step()
    for mine, wanted in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-7 if recipe.optimizer == "adam" else 0)


def test_a_training_does_not_load_torchs_compiler() -> None:
    code = """
import sys
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.training import train
task = load_task(read_task_source("digits"))
train(task, initial_parameters(task, 0), task.load("1/64"), Recipe("sgd", 0.1, 8, 1), 0)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert not {"torch._dynamo", "sympy", "sklearn"} & set(done.stdout.split())
