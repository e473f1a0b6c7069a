"""How the score of the model with everybody's update in equal part changes with each player's part."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from learning.calls import calling, new_module, seeded
from learning.coalitions.evaluator import blocks
from learning.coalitions.mixture import Mixture
from learning.data import Data
from learning.errors import TaskError
from learning.evaluator import SCORE_UNIT
from learning.task import Task

_SAMPLES = 256


def slopes(task: Task, data: Data, mixture: Mixture, fraction: float, groups: int) -> NDArray[np.float64]:
    """∂/∂s_i of the total score at s = (fraction, …, fraction), group of samples by group: (groups, players), units of 2^-20.

    Sample m is in group m mod `groups`. One pass forwards and one backwards over the data, whatever the number of players.
    Raises `TaskError` if the score cannot be differentiated, or the model there has none.
    """
    with seeded(0):
        module = new_module(task).eval()
    mixed = mixture.parameters(np.full((1, mixture.players), fraction))
    point = {name: stacked[0].clone().requires_grad_() for name, stacked in mixed.items()}
    found = np.zeros((groups, mixture.players))
    for group in range(groups):
        members = torch.arange(group, len(data), groups)
        for block in blocks(len(members), _SAMPLES):
            chosen = members[block]
            score = _score(task, module, point, data.features[chosen], data.targets[chosen])
            gradients = torch.autograd.grad(score, list(point.values()), allow_unused=True)
            along = {name: gradient for name, gradient in zip(point, gradients, strict=True) if gradient is not None}
            found[group] += mixture.along(along) * SCORE_UNIT
    return found


def _score(task: Task, module: nn.Module, point: dict[str, Tensor], features: Tensor, targets: Tensor) -> Tensor:
    with torch.enable_grad(), calling(task, "score"):
        outputs = functional_call(module, point, (features,))
        score = task.score(outputs, targets).double().sum()
    if not score.requires_grad or not bool(torch.isfinite(score)):
        raise TaskError(f"{type(task).__name__}.score cannot be differentiated: compute it from the outputs with torch alone")
    return score
