"""The direction in which a task's loss would move its model if samples had other labels than they have."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learning.calls import calling, forward, loss_of, new_module, seeded
from learning.parameters import load_into
from learning.task import Task
from protocol.parameters import Parameters


def label_gradients(task: Task, base: Parameters, features: Tensor, labels: Tensor, names: Sequence[str]) -> NDArray[np.float32]:
    """For each row of `labels`: minus the gradient of the mean loss that all of `features` would have under that label.

    `names` are tensors of the model that are trained; shape (len(labels), their parameters), one tensor after the other in that
    order. In evaluation mode, so that nothing is drawn. Raises `TaskError` if the task breaks its laws.
    """
    with seeded(0):  # the weights drawn here are overwritten
        module = new_module(task).eval()
    load_into(module, base)
    parameters = dict(module.named_parameters())
    wanted = [parameters[name] for name in names]
    rows = []
    with torch.enable_grad():
        outputs = forward(task, module, features)
        for label in labels:
            loss = loss_of(task, outputs, label.expand(len(features), *label.shape))
            with calling(task, "loss(...).backward()"):
                slopes = torch.autograd.grad(loss, wanted, retain_graph=True, materialize_grads=True)
            rows.append(-torch.cat([slope.ravel() for slope in slopes]).numpy())
    return np.stack(rows)


def trained_names(task: Task) -> tuple[str, ...]:
    """The model's tensors that training moves, in its order. Raises `TaskError`."""
    with seeded(0):
        module = new_module(task)
    return tuple(name for name, parameter in module.named_parameters() if parameter.requires_grad)
