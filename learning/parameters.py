"""Between a torch module and the named float32 arrays that every other part of fairshare calls a model.

Of a module's `state_dict()`, in the order of declaration:

- every float32 tensor *travels*: trained and frozen weights, and buffers such as the running mean and variance of batch
  normalisation. All of them are averaged alike, with the weights of the merge. A convex mean of variances is one, so every
  coalition's model is sound.
- integer and boolean tensors *stay*: position numbers, masks, the count of batches that batch normalisation keeps. They are
  part of the architecture. What `task.model()` makes of them holds everywhere, and what training does to them ends with it.
- anything else is refused: other floats, which would be rounded on the way, and state that is no tensor.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learning.calls import new_module, seeded
from learning.errors import ParameterError, UnsupportedStateError
from learning.task import Task
from protocol.parameters import Parameters

_SEEDS = 1 << 64


def initial_parameters(task: Task, seed: int) -> Parameters:
    """The model of round 0: the weights that `task.model()` draws under `seed`.

    Raises `TaskError`, `UnsupportedStateError` if the model keeps state that can neither travel nor stay.
    """
    with seeded(seed):
        module = new_module(task)
    with seeded((seed + 1) % _SEEDS):
        other = new_module(task).state_dict()
    for name, tensor in module.state_dict().items():
        if _stays(tensor) and not (name in other and torch.equal(tensor, other[name])):
            raise UnsupportedStateError(name, "drawn at random and not averaged, so that every party would have another")
    return to_parameters(module)


def to_parameters(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    """A copy of the module's state. Raises `UnsupportedStateError`, and `ParameterError` if there is none."""
    return {name: np.array(view) for name, view in state_views(module).items()}


def load_into(module: nn.Module, parameters: Parameters) -> None:
    """Overwrite the module's state. Raises `ParameterError` unless names and order, shapes and dtypes are the module's."""
    write_views(state_views(module), parameters)


def state_views(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The part of the module's state that travels, as arrays that share its memory: writing to one writes to the module.

    Raises `UnsupportedStateError` and `ParameterError` as `to_parameters` does.
    """
    state = {name: tensor for name, tensor in module.state_dict().items() if not _stays(tensor)}
    if not state:
        raise ParameterError(
            f"the model {type(module).__name__} has no parameters, so there is nothing to train: give it layers with weights"
        )
    return {name: _view(name, tensor) for name, tensor in state.items()}


def write_views(views: dict[str, NDArray[np.float32]], parameters: Parameters) -> None:
    """Write `parameters` through `views`; nothing is written if they do not fit. Raises `ParameterError`."""
    if list(views) != list(parameters):
        differing = sorted(set(views) ^ set(parameters)) or "their order alone"
        raise ParameterError(
            f"the tensors' names are not those of the task's model, they differ in {differing}: use this task's own model"
        )
    for name, array in parameters.items():
        if array.shape != views[name].shape or array.dtype != np.float32:
            raise ParameterError(
                f"tensor {name!r} is {array.dtype} {array.shape}, the task's model has float32 {views[name].shape}: "
                "use this task's own model"
            )
    for name, array in parameters.items():
        np.copyto(views[name], array)


def _stays(tensor: object) -> bool:
    return isinstance(tensor, Tensor) and not tensor.is_floating_point() and not tensor.is_complex()


def _view(name: str, tensor: object) -> NDArray[np.float32]:
    # get_extra_state() may put anything into a state_dict.
    if not isinstance(tensor, Tensor):
        raise UnsupportedStateError(name, f"a {type(tensor).__name__}")
    if tensor.dtype != torch.float32:
        raise UnsupportedStateError(name, str(tensor.dtype))
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        raise UnsupportedStateError(name, f"{tensor.layout} on {tensor.device}")
    view: NDArray[np.float32] = tensor.detach().numpy()
    return view
