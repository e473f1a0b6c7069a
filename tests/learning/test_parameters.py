from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from learning.errors import ParameterError, TaskError, UnsupportedStateError
from learning.parameters import initial_parameters, load_into, to_parameters
from learning.task import Task
from protocol.parameters import encode_parameters, layout_of, model_hash, read_parameters
from tests.learning.tasks import Line


class _Model(Line):
    def __init__(self, module: object) -> None:
        self.module = module

    def model(self) -> nn.Module:
        return self.module  # type: ignore[return-value]


class _Extra(nn.Linear):
    def get_extra_state(self) -> str:
        return "anything"


def test_initial_weights_follow_the_seed_and_leave_torch_as_it_was(digits: Task) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = model_hash(initial_parameters(digits, 7))
    assert torch.rand(1) == expected
    assert model_hash(initial_parameters(digits, 7)) == first
    assert model_hash(initial_parameters(digits, 8)) != first


def test_the_digits_model_has_this_layout(digits: Task) -> None:
    parameters = initial_parameters(digits, 1)
    assert [(name, array.shape) for name, array in parameters.items()] == [
        ("0.weight", (32, 64)),
        ("0.bias", (32,)),
        ("2.weight", (10, 32)),
        ("2.bias", (10,)),
    ]
    assert all(array.dtype == np.float32 for array in parameters.values())


def test_loading_gives_back_what_was_taken_also_after_the_wire(digits: Task) -> None:
    module, parameters = digits.model(), initial_parameters(digits, 1)
    load_into(module, read_parameters(encode_parameters(parameters), layout_of(parameters)))
    assert model_hash(to_parameters(module)) == model_hash(parameters)


def test_read_only_arrays_and_transposed_weights_load(digits: Task) -> None:
    module, parameters = digits.model(), dict(initial_parameters(digits, 1))
    parameters["0.weight"] = np.asfortranarray(parameters["0.weight"])
    parameters["0.weight"].setflags(write=False)
    module[0].weight = nn.Parameter(torch.zeros(64, 32).T)  # type: ignore[index]
    load_into(module, parameters)
    assert model_hash(to_parameters(module)) == model_hash(parameters)


def test_what_was_taken_is_a_copy() -> None:
    module = nn.Linear(2, 1)
    taken = to_parameters(module)
    before = model_hash(taken)
    with torch.no_grad():
        module.weight.zero_()
    assert model_hash(taken) == before


def test_float32_buffers_belong_to_the_model_and_layer_norm_is_supported() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    module.register_buffer("scale", torch.tensor(2.0))
    assert list(to_parameters(module)) == ["scale", "0.weight", "0.bias", "1.weight", "1.bias"]
    assert to_parameters(module)["scale"].shape == ()


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        (nn.Linear(2, 2).double(), "weight", "torch.float64"),
        (nn.Linear(2, 2).half(), "weight", "torch.float16"),
        (_Extra(2, 2), "_extra_state", "a str"),
        (nn.Linear(2, 2, device="meta"), "weight", "meta"),
    ],
    ids=["float64", "float16", "extra state", "meta"],
)
def test_state_that_cannot_be_averaged_is_named(module: nn.Module, name: str, found: str) -> None:
    with pytest.raises(UnsupportedStateError, match="cast the model with") as caught:
        initial_parameters(_Model(module), 1)
    assert caught.value.name == name
    assert found in caught.value.found


def test_running_statistics_travel_and_the_count_of_batches_stays() -> None:
    module = nn.BatchNorm1d(2)
    names = ["weight", "bias", "running_mean", "running_var"]
    assert list(initial_parameters(_Model(module), 1)) == names
    assert module.num_batches_tracked is not None
    module.num_batches_tracked.add_(5)
    load_into(module, {name: np.full(2, 3, np.float32) for name in names})
    assert module.num_batches_tracked == 5
    assert module.running_var is not None
    assert module.running_var.tolist() == [3, 3]


class _Indexed(nn.Linear):
    """Keeps integers and truth values beside its weights."""

    def __init__(self, positions: torch.Tensor) -> None:
        super().__init__(2, 2)
        self.register_buffer("positions", positions)
        self.register_buffer("mask", torch.tensor([True, False]))


class _Built(Line):
    def __init__(self, build: Callable[[], nn.Module]) -> None:
        self.build = build

    def model(self) -> nn.Module:
        return self.build()


def test_constant_integers_stay_and_random_ones_are_refused() -> None:
    assert list(initial_parameters(_Built(lambda: _Indexed(torch.arange(2))), 1)) == ["weight", "bias"]
    with pytest.raises(UnsupportedStateError, match="every party would have another") as caught:
        initial_parameters(_Built(lambda: _Indexed(torch.randint(1 << 40, (2,)))), 1)
    assert caught.value.name == "positions"


def test_a_model_of_integers_alone_has_nothing_to_train() -> None:
    module = nn.Module()
    module.register_buffer("positions", torch.arange(3))
    with pytest.raises(ParameterError, match="nothing to train"):
        initial_parameters(_Model(module), 1)


def test_a_model_that_is_none_is_refused() -> None:
    with pytest.raises(ParameterError, match="has no parameters"):
        initial_parameters(_Model(nn.ReLU()), 1)
    with pytest.raises(TaskError, match=r"must return a torch\.nn\.Module; got str"):
        initial_parameters(_Model("resnet"), 1)


def test_parameters_that_do_not_fit_change_nothing() -> None:
    module = nn.Linear(2, 3)
    before = to_parameters(module)
    good = {name: array + 1 for name, array in before.items()}
    bad: list[tuple[dict[str, np.ndarray], str]] = [
        ({"weight": good["weight"]}, "'bias'"),
        ({**good, "more": good["bias"]}, "'more'"),
        ({"bias": good["bias"], "weight": good["weight"]}, "order"),
        ({"weight": good["weight"], "bias": good["bias"][:2]}, r"'bias' is float32 \(2,\)"),
        ({"weight": good["weight"], "bias": good["bias"].astype(np.float64)}, "float64"),
    ]
    for parameters, message in bad:
        with pytest.raises(ParameterError, match=message):
            load_into(module, parameters)
    assert model_hash(to_parameters(module)) == model_hash(before)
