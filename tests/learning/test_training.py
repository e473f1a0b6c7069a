import numpy as np
import pytest
import torch
from torch import nn

from learning.data import Data
from learning.errors import ParameterError, TaskError, TrainingError
from learning.evaluator import Evaluator
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.task import Task
from learning.training import Progress, evaluate, train
from protocol.parameters import Parameters, encode_parameters
from tests.learning.tasks import Line

SGD = Recipe("sgd", learning_rate=0.1, batch_size=32, epochs=2, momentum=0.9)
ADAM = Recipe("adam", learning_rate=0.005, batch_size=32, epochs=2)


def _add(base: Parameters, update: Parameters) -> Parameters:
    return {name: base[name] + update[name] for name in base}


@pytest.mark.parametrize("recipe", [SGD, ADAM], ids=["sgd", "adam"])
def test_training_on_digits_lowers_the_loss_and_raises_score_and_accuracy(digits: Task, recipe: Recipe) -> None:
    data, evaluation = digits.load("training"), digits.load("evaluation")
    base = initial_parameters(digits, 1)
    losses: list[Progress] = []
    update = train(digits, base, data, recipe, seed=1, on_progress=losses.append)
    before, after = evaluate(digits, base, evaluation), evaluate(digits, _add(base, update), evaluation)
    assert losses[-1].loss < losses[0].loss / 2
    assert after.mean_score > before.mean_score + 0.3
    assert after.accuracy > 0.7 > before.accuracy


@pytest.mark.parametrize("recipe", [SGD, ADAM], ids=["sgd", "adam"])
def test_the_same_seed_gives_the_same_bytes_whatever_ran_before(digits: Task, recipe: Recipe) -> None:
    data, base = digits.load("2/8"), initial_parameters(digits, 1)
    before = encode_parameters(base)
    first = encode_parameters(train(digits, base, data, recipe, seed=5))
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert encode_parameters(train(digits, base, data, recipe, seed=5)) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert encode_parameters(train(digits, base, data, recipe, seed=6)) != first
    assert encode_parameters(base) == before


def test_the_update_has_the_layout_of_the_base(digits: Task) -> None:
    base = initial_parameters(digits, 1)
    update = train(digits, base, digits.load("1/8"), SGD, seed=1)
    assert list(update) == list(base)
    assert all(update[name].dtype == np.float32 and update[name].shape == base[name].shape for name in base)


def test_one_step_of_sgd_is_minus_rate_times_gradient_plus_decay(line: Line) -> None:
    data = line.load(None)
    base = {"weight": np.array([[0.5]], np.float32), "bias": np.array([-1.0], np.float32)}
    x, y = data.features.numpy(), data.targets.numpy()
    residual = 2 * (0.5 * x - 1.0 - y) / len(x)
    recipe = Recipe("sgd", learning_rate=0.25, batch_size=len(data), epochs=1, weight_decay=0.1)
    update = train(line, base, data, recipe, seed=1)
    assert update["weight"].item() == pytest.approx(-0.25 * ((residual * x).sum() + 0.1 * 0.5), abs=1e-6)
    assert update["bias"].item() == pytest.approx(-0.25 * (residual.sum() + 0.1 * -1.0), abs=1e-6)


def test_progress_counts_every_batch_of_every_epoch(line: Line) -> None:
    seen: list[Progress] = []
    recipe = Recipe("sgd", learning_rate=0.1, batch_size=30, epochs=2)
    train(line, initial_parameters(line, 1), line.load(None), recipe, seed=1, on_progress=seen.append)
    assert [(progress.step, progress.steps) for progress in seen] == [(step, 6) for step in range(1, 7)]


def test_diverging_training_is_an_error_not_a_nan_update(line: Line) -> None:
    data = Data(line.load(None).features, torch.full((64, 1), 1e30))
    base = initial_parameters(line, 1)
    with pytest.raises(TrainingError, match="loss became inf at step 1 of 2"):
        train(line, base, data, Recipe("sgd", 0.1, batch_size=32, epochs=1), seed=1)
    far = Data(line.load(None).features, torch.full((64, 1), 1e18))
    with pytest.raises(TrainingError, match="'weight' is not finite"):
        train(line, base, far, Recipe("sgd", 1e38, batch_size=64, epochs=1), seed=1)


def test_a_base_of_another_model_is_refused(digits: Task, line: Line) -> None:
    with pytest.raises(ParameterError, match="names"):
        train(digits, initial_parameters(line, 1), digits.load("1/8"), SGD, seed=1)


class _Frozen(Line):
    def model(self) -> nn.Module:
        return nn.Linear(1, 1).requires_grad_(False)


class _PartlyFrozen(Line):
    def model(self) -> nn.Module:
        module = nn.Linear(1, 1)
        module.bias.requires_grad_(False)
        return module


def test_frozen_weights_stay_and_an_all_frozen_model_is_refused() -> None:
    task = _PartlyFrozen()
    update = train(task, initial_parameters(task, 1), task.load(None), Recipe("sgd", 0.1, 32, 1, 0.9, 0.1), seed=1)
    assert update["bias"].item() == 0
    assert update["weight"].item() != 0
    with pytest.raises(ParameterError, match="requires_grad=False"):
        train(_Frozen(), initial_parameters(_Frozen(), 1), task.load(None), SGD, seed=1)


class _Dropout(Line):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))


def test_random_layers_follow_the_seed_in_training_and_are_off_in_evaluation() -> None:
    task = _Dropout()
    base, data = initial_parameters(task, 1), task.load(None)
    whole = Recipe("sgd", 0.1, batch_size=64, epochs=1)  # one batch: only dropout differs between seeds
    first, same, other = (train(task, base, data, whole, seed)["0.weight"].tobytes() for seed in (1, 1, 2))
    assert first == same != other
    evaluator = Evaluator(task, Data(data.features, torch.zeros(64, 1)))
    assert np.array_equal(evaluator.scores(base), evaluator.scores(base))


class _BrokenLoss(Line):
    def __init__(self, loss: object) -> None:
        self.broken = loss

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.broken(outputs, targets)  # type: ignore[operator] # whatever it is: that is what is tested


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda outputs, targets: (outputs - targets).square(), "scalar"),
        (lambda outputs, targets: (outputs - targets).square().mean().detach(), "detach"),
        (lambda outputs, targets: 0.5, "scalar"),
        (lambda outputs, targets: nn.functional.cross_entropy(outputs, targets.long()), r"_BrokenLoss.loss failed"),
    ],
    ids=["per sample", "detached", "float", "raises"],
)
def test_a_broken_loss_is_named(loss: object, message: str) -> None:
    task = _BrokenLoss(loss)
    with pytest.raises(TaskError, match=message):
        train(task, initial_parameters(task, 1), task.load(None), SGD, seed=1)
