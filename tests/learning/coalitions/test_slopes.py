import numpy as np
import pytest
import torch
from torch import Tensor, nn

from learning.coalitions.choice import choose_evaluator
from learning.coalitions.mixture import Mixture
from learning.coalitions.slopes import slopes
from learning.errors import TaskError
from tests.learning.coalitions.test_evaluators import MEMORY, PLAYERS, WEIGHTS
from tests.learning.coalitions.zoo import ZOO, ZooTask, zoo_data, zoo_updates


@pytest.mark.parametrize("name", ["words", "regression"])
def test_slopes_are_those_of_small_steps(name: str) -> None:
    task, data = ZOO[name], zoo_data(name, 50)
    base, updates = zoo_updates(task, PLAYERS)
    found = slopes(task, data, Mixture(base, updates, WEIGHTS, MEMORY), 0.5, groups=4)
    assert found.shape == (4, PLAYERS)
    evaluator, step = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY), 0.02
    rows = 0.5 + step * np.concatenate([np.eye(PLAYERS), -np.eye(PLAYERS)])
    totals = evaluator.evaluate(rows).scores
    for group in range(4):
        ahead, behind = totals[:, group::4].sum(1).reshape(2, PLAYERS)
        assert found[group] == pytest.approx((ahead - behind) / (2 * step), abs=4e-3 * 2**20)


def test_little_memory_gives_the_same_slopes() -> None:
    task, data = ZOO["dense"], zoo_data("dense", 20)
    base, updates = zoo_updates(task, PLAYERS)
    one, other = (slopes(task, data, Mixture(base, updates, WEIGHTS, memory), 0.5, 2) for memory in (MEMORY, 500))
    assert one == pytest.approx(other, rel=1e-4, abs=10)


class Counting(ZooTask):
    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(1) == targets).double()


def test_a_score_that_steps_has_no_slope() -> None:
    task, data = Counting(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 3))), zoo_data("dense", 20)
    base, updates = zoo_updates(task, PLAYERS)
    with pytest.raises(TaskError, match=r"Counting\.score cannot be differentiated"):
        slopes(task, data, Mixture(base, updates, WEIGHTS, MEMORY), 0.5, 1)
    assert torch.is_grad_enabled()
