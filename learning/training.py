"""Local training: from a base model and a node's own data to an update."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from learning.calls import calling, forward, loss_of, new_module, seeded
from learning.data import Data
from learning.errors import TrainingError
from learning.evaluator import Evaluation, Evaluator
from learning.optimizer import Optimizer
from learning.parameters import load_into, to_parameters
from learning.recipe import Recipe
from learning.task import Task
from protocol.parameters import Parameters


class Progress(NamedTuple):
    """A training step is done: `step` of `steps`, and the batch's mean loss before it."""

    step: int
    steps: int
    loss: float


def train(
    task: Task,
    base: Parameters,
    data: Data,
    recipe: Recipe,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Train on `data` starting from `base`, and return the update: trained minus base, names in the model's order.

    `seed`, 0 … 2^64 - 1, decides the order of samples and every random layer. On one machine with one torch thread (the
    caller sets it) the same arguments give the same bytes. Local batch statistics and optimizer state end with the call.

    Raises `ParameterError` if `base` is not of the task's model, `TrainingError` if training diverges, `TaskError` if the
    task breaks its laws.
    """
    with seeded(seed), torch.enable_grad():
        module = new_module(task).train()
        load_into(module, base)
        optimizer = Optimizer(module, recipe)
        steps = recipe.epochs * len(_batches(module, torch.arange(len(data)), recipe.batch_size))
        step = 0
        for _ in range(recipe.epochs):
            for batch in _batches(module, torch.randperm(len(data)), recipe.batch_size):
                optimizer.forget()
                outputs = forward(task, module, data.features[batch])
                loss = loss_of(task, outputs, data.targets[batch])
                step += 1
                value = loss.item()
                if not math.isfinite(value):
                    raise TrainingError(f"the loss became {value} at step {step} of {steps}: {_DIVERGED}")
                with calling(task, "loss(...).backward()"):
                    torch.autograd.backward(loss)
                optimizer.step()
                if on_progress is not None:
                    on_progress(Progress(step, steps, value))
        trained = to_parameters(module)
    with np.errstate(over="ignore", invalid="ignore"):  # told below, by the tensor's name
        update = {name: trained[name] - base[name] for name in trained}
    for name, array in update.items():
        if not np.isfinite(array).all():
            raise TrainingError(f"tensor {name!r} is not finite after training: {_DIVERGED}")
    return update


def _batches(module: nn.Module, order: Tensor, size: int) -> list[Tensor]:
    """The samples of an epoch by batches; a last one of a single sample joins the batch before it if the model normalises.

    Batch normalisation takes statistics over a batch, and one sample has none.
    """
    batches = list(torch.split(order, size))
    if len(batches) > 1 and len(batches[-1]) == 1 and any(isinstance(part, _BatchNorm) for part in module.modules()):
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def try_out(task: Task, parameters: Parameters, data: Data, recipe: Recipe) -> None:
    """One training step and one evaluation: whatever does not fit together fails here, before anything is signed or paid.

    Raises as `train` and `evaluate` do.
    """
    few = data.take(np.arange(min(len(data), recipe.batch_size)))
    train(task, parameters, few, replace(recipe, epochs=1), seed=0)
    evaluate(task, parameters, data)


_DIVERGED = "look for extreme values in the data, or ask the operator for a lower learning rate in the recipe"


def evaluate(task: Task, parameters: Parameters, data: Data) -> Evaluation:
    """One model on some data; `Evaluator` is for many. Raises as `Evaluator.scores` does."""
    return Evaluator(task, data).evaluate(parameters)
