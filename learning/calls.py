"""The border to a task's own code: every call crosses here, its result is checked, and whatever it raises becomes a TaskError.

The code on the other side was written by a user, often runs for the first time, and must never end in a bare traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from learning.data import Data
from learning.errors import DataError, LearningError, TaskError
from learning.task import Task


@contextmanager
def calling(task: Task, method: str) -> Iterator[None]:
    """Name the task and the method in whatever is raised inside; errors of our own family pass unchanged."""
    try:
        yield
    except (LearningError, MemoryError):
        raise  # too little memory is this machine's fault, not the task's
    except Exception as error:
        where, kind = f"{type(task).__name__}.{method}", type(error).__name__
        raise TaskError(f"{where} failed: {kind}: {error}; correct the task, or the data that it was given") from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw everything inside from `seed`, 0 … 2^64 - 1, and leave the caller's torch random state as it was."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also tell every accelerator, with a stack trace each: milliseconds, for devices not in use.
        torch.default_generator.manual_seed(seed)
        yield


def new_module(task: Task) -> nn.Module:
    """`task.model()`, checked to be a module. Raises `TaskError`."""
    with calling(task, "model"):
        module = task.model()
    if not isinstance(module, nn.Module):
        raise TaskError(f"{type(task).__name__}.model must return a torch.nn.Module; got {type(module).__name__}")
    return module


def forward(task: Task, module: nn.Module, features: Tensor) -> Tensor:
    """The module's outputs, checked to be one row per sample. Raises `TaskError`."""
    with calling(task, "model()(features)"):
        outputs = module(features)
    if not isinstance(outputs, Tensor) or outputs.ndim == 0 or len(outputs) != len(features):
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise TaskError(f"the model of {type(task).__name__} must return one row per sample, {len(features)}; got {found}")
    return outputs


def loss_of(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """`task.loss(...)`, checked to be a differentiable scalar. Raises `TaskError`."""
    with calling(task, "loss"):
        loss = task.loss(outputs, targets)
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        raise TaskError(
            f"{type(task).__name__}.loss must return a scalar tensor that depends on trainable weights: "
            "reduce with .mean(), and do not .detach() or convert to float"
        )
    return loss


def per_sample(task: Task, method: str, value: Tensor, samples: int) -> Tensor:
    """`value` as float64 of shape (samples,), checked to lie in [0, 1] within 1e-6. Raises `TaskError`."""
    name = f"{type(task).__name__}.{method}"
    if not isinstance(value, Tensor) or tuple(value.shape) != (samples,):
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise TaskError(f"{name} must return one number per sample, shape ({samples},); got {found}")
    value = value.detach().to(torch.float64)
    outside = ~((value >= -1e-6) & (value <= 1 + 1e-6))  # written so that NaN is outside
    if bool(outside.any()):
        first = int(outside.nonzero()[0])
        raise TaskError(
            f"{name} must lie in [0, 1], but is {value[first].item()} for sample {first} of the batch: "
            "clip it (learning.scores has bounded ones), and check the model for NaN"
        )
    return value


def load_data(task: Task, source: str | None) -> Data:
    """`task.load(source)`, checked. Raises `DataError` for what the user can mend in the data, `TaskError` otherwise."""
    with calling(task, "load"):
        try:
            data = task.load(source)
        except OSError as error:
            raise DataError(
                f"data source {source!r} cannot be read ({error.strerror or error}): check the path, and who may read it"
            ) from error
    if not isinstance(data, Data):
        raise TaskError(f"{type(task).__name__}.load must return fairshare's Data; got {type(data).__name__}")
    return data
