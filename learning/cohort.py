"""Many local trainings at once: the same as `train` one after the other, but the models are stacked and step together.

Source: model ensembling with `torch.func` (functional_call over stacked parameters, vmap over grad), PyTorch documentation.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm  # what all batch normalisations share; torch has no public name for it

from learning.calls import calling, new_module, seeded
from learning.data import Data
from learning.errors import TaskError, TrainingError
from learning.optimizer import moments, move
from learning.parameters import load_into
from learning.recipe import Recipe
from learning.task import Task
from learning.training import train
from protocol.parameters import Parameters

_Gradient = Callable[[dict[str, Tensor], Tensor, Tensor], tuple[dict[str, Tensor], Tensor]]
"""From stacked parameters, features and targets to stacked gradients and losses."""


def train_many(
    task: Task, base: Parameters, datas: Sequence[Data], recipe: Recipe, seeds: Sequence[int]
) -> list[dict[str, NDArray[np.float32]] | None]:
    """The update of every holder of `datas`, each trained from `base` with its own seed; None where training diverged.

    Equal to `train` with the same data and seed up to float rounding. Models that cannot be stacked (random layers, buffers,
    operations that vmap does not know) are trained one after the other instead. On one machine with one torch thread the same
    arguments give the same bytes. Memory: about four times len(datas) models, six for Adam.

    Raises `ValueError` unless there is one seed for each holder, and as `train` does except for divergence.
    """
    if len(datas) != len(seeds):
        raise ValueError(f"{len(datas)} data sets with {len(seeds)} seeds")
    if not datas:
        return []
    stacked = _stack(task, base, datas, recipe, seeds)
    return [_one(task, base, *own, recipe) for own in zip(datas, seeds, strict=True)] if stacked is None else stacked


def _one(task: Task, base: Parameters, data: Data, seed: int, recipe: Recipe) -> dict[str, NDArray[np.float32]] | None:
    try:
        return train(task, base, data, recipe, seed)
    except TrainingError:
        return None


def _stack(
    task: Task, base: Parameters, datas: Sequence[Data], recipe: Recipe, seeds: Sequence[int]
) -> list[dict[str, NDArray[np.float32]] | None] | None:
    """As `train_many`; None if this model cannot be stacked."""
    with seeded(0):
        module = new_module(task).train()
    load_into(module, base)
    normalises = any(isinstance(part, _BatchNorm) for part in module.modules())
    if normalises or list(module.buffers()) or not any(parameter.requires_grad for parameter in module.parameters()):
        return None
    gradient = _gradient(task, module)
    # The largest first: those that step together then mostly lie side by side, and side by side nothing need be copied.
    order = sorted(range(len(datas)), key=lambda k: -len(datas[k]))
    batches = [_batches(task, len(datas[k]), recipe, seeds[k]) for k in order]
    models = _Models(module, recipe, len(datas))
    try:
        for step in range(max(map(len, batches))):
            for members in _equally_long(batches, step).values():
                features = torch.stack([datas[order[k]].features[batches[k][step]] for k in members])
                targets = torch.stack([datas[order[k]].targets[batches[k][step]] for k in members])
                models.step(members, step + 1, gradient, features, targets)
    except (TaskError, RuntimeError, NotImplementedError):
        return None  # train one by one: it succeeds, or says in the task's own words what is wrong
    updates = dict(zip(order, models.updates(base), strict=True))
    return [updates[k] for k in range(len(datas))]


def _gradient(task: Task, module: nn.Module) -> _Gradient:
    frozen = {name: tensor.detach() for name, tensor in module.named_parameters() if not tensor.requires_grad}

    def loss(parameters: dict[str, Tensor], features: Tensor, targets: Tensor) -> Tensor:
        outputs = functional_call(module, parameters | frozen, (features,))
        with calling(task, "loss"):
            return task.loss(outputs, targets)

    losses_of = vmap(loss)

    def stepped(parameters: dict[str, Tensor], features: Tensor, targets: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        # The sum's gradient is every model's own, since no loss depends on another model; cheaper than vmap over grad.
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in parameters.items()}
        with torch.enable_grad():
            losses = losses_of(leaves, features, targets)
            slopes = torch.autograd.grad(losses.sum(), list(leaves.values()))
        return dict(zip(leaves, slopes, strict=True)), losses.detach()

    return stepped


def _batches(task: Task, samples: int, recipe: Recipe, seed: int) -> list[Tensor]:
    """The batches that `train` draws under this seed: it makes the model first, and that draws too."""
    with seeded(seed):
        new_module(task)
        return [batch for _ in range(recipe.epochs) for batch in torch.split(torch.randperm(samples), recipe.batch_size)]


def _equally_long(batches: Sequence[Sequence[Tensor]], step: int) -> dict[int, list[int]]:
    # A mean over a padded batch would need the task's loss per sample; equally long batches need nothing.
    groups: dict[int, list[int]] = defaultdict(list)
    for k, own in enumerate(batches):
        if step < len(own):
            groups[len(own[step])].append(k)
    return groups


class _Models:
    """Stacked copies of a module, each with its own optimizer state; `step` moves some of them."""

    def __init__(self, module: nn.Module, recipe: Recipe, copies: int) -> None:
        self._recipe, self._copies = recipe, copies
        self._stacked = {name: _stacked(tensor, copies) for name, tensor in module.named_parameters() if tensor.requires_grad}
        self._moments = {name: moments(tensor, recipe) for name, tensor in self._stacked.items()}
        self._diverged = torch.zeros(copies, dtype=torch.bool)

    def step(self, members: list[int], number: int, gradient: _Gradient, features: Tensor, targets: Tensor) -> None:
        """Step `number` (from 1) of the models at these ascending positions, each on its own batch."""
        adjoining = members[-1] - members[0] + 1 == len(members)
        at: slice | Tensor = slice(members[0], members[-1] + 1) if adjoining else torch.tensor(members)
        chosen = {name: tensor[at] for name, tensor in self._stacked.items()}
        gradients, losses = gradient(chosen, features, targets)
        self._diverged[at] |= ~torch.isfinite(losses)
        for name, slope in gradients.items():
            weights, remembered = chosen[name], [moment[at] for moment in self._moments[name]]
            move(weights, slope, remembered, number, self._recipe)
            if not adjoining:  # then they are copies
                self._stacked[name][at] = weights
                for kept, moment in zip(self._moments[name], remembered, strict=True):
                    kept[at] = moment

    def updates(self, base: Parameters) -> list[dict[str, NDArray[np.float32]] | None]:
        """Trained minus base of every model, None where a loss or a weight was not finite."""
        trained = {name: tensor.numpy() for name, tensor in self._stacked.items()}
        found: list[dict[str, NDArray[np.float32]] | None] = []
        for k in range(self._copies):
            with np.errstate(over="ignore", invalid="ignore"):  # looked for below
                update = {
                    name: trained[name][k] - start if name in trained else np.zeros_like(start) for name, start in base.items()
                }
            finite = not self._diverged[k] and all(np.isfinite(array).all() for array in update.values())
            found.append(update if finite else None)
        return found


def _stacked(tensor: Tensor, copies: int) -> Tensor:
    """Copies of a tensor, shape (copies, …). Matrices lie transposed in memory, as their gradients do: adding is one sweep."""
    found = tensor.detach().expand(copies, *tensor.shape)
    return found.mT.clone(memory_format=torch.contiguous_format).mT if tensor.dim() == 2 else found.clone()
