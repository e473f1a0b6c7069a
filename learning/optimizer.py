"""The optimizers of recipes, step by step as `torch.optim` takes them, for one tensor or for many stacked ones.

`torch.optim` itself loads torch's compiler with its first step, which takes a node longer than many a round of training.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from learning.errors import ParameterError
from learning.recipe import Recipe

# Adam's constants, as torch.optim.Adam has them.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Optimizer:
    """Moves a module's trainable parameters along their gradients. A parameter that has none stays, and its moments too.

    Raises `ParameterError` if nothing is trainable.
    """

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        self._recipe = recipe
        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not self._parameters:
            raise ParameterError(
                "every parameter of the model has requires_grad=False, so there is nothing to train: "
                "leave it on where the model should learn"
            )
        self._moments = [moments(parameter, recipe) for parameter in self._parameters]
        self._steps = [0] * len(self._parameters)

    def forget(self) -> None:
        """Drop the gradients of the batch before."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move by the gradients that are there."""
        for k, parameter in enumerate(self._parameters):
            if parameter.grad is not None:
                self._steps[k] += 1
                move(parameter, parameter.grad, self._moments[k], self._steps[k], self._recipe)


def moments(weights: Tensor, recipe: Recipe) -> list[Tensor]:
    """What is remembered of a tensor from step to step, at the beginning: nothing, the momentum, or Adam's two moments."""
    count = 2 if recipe.optimizer == "adam" else 1 if recipe.momentum else 0
    return [torch.zeros_like(weights) for _ in range(count)]


def move(weights: Tensor, slope: Tensor, moments: Sequence[Tensor], number: int, recipe: Recipe) -> None:
    """Step `number` (from 1): weights and moments in place."""
    rate = recipe.learning_rate
    if recipe.weight_decay:
        slope = slope.add(weights, alpha=recipe.weight_decay)
    if recipe.optimizer == "adam":
        first, second = moments
        first.mul_(_BETA1).add_(slope, alpha=1 - _BETA1)
        second.mul_(_BETA2).addcmul_(slope, slope, value=1 - _BETA2)
        spread = second.sqrt().div_(math.sqrt(1 - _BETA2**number)).add_(_EPSILON)
        weights.addcdiv_(first, spread, value=-rate / (1 - _BETA1**number))
        return
    for moment in moments:
        slope = moment.mul_(recipe.momentum).add_(slope)
    weights.add_(slope, alpha=-rate)
