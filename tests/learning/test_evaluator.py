import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from learning.data import Data
from learning.errors import ParameterError, TaskError
from learning.evaluator import SCORE_UNIT, Evaluation, Evaluator, integer_scores
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.task import Task
from learning.training import evaluate, train
from protocol.parameters import model_hash
from tests.learning.tasks import Line


class _Scores(Line):
    """Scores what the model puts out, whatever that is."""

    def score(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return outputs[:, 0]


def _units(values: list[float], dtype: torch.dtype = torch.float64) -> list[int]:
    outputs = torch.tensor(values, dtype=dtype)[:, None]
    return integer_scores(_Scores(), outputs, outputs).tolist()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_integer_scores_are_the_nearest_units(values: list[float]) -> None:
    units = _units(values)
    assert all(0 <= unit <= SCORE_UNIT for unit in units)
    assert all(abs(unit - value * SCORE_UNIT) <= 0.5 for unit, value in zip(units, values, strict=True))


def test_halves_round_to_even_and_rounding_noise_is_clamped() -> None:
    half = 0.5 / SCORE_UNIT
    assert _units([half, 3 * half, 5 * half, 1 - half]) == [0, 2, 2, SCORE_UNIT]
    assert _units([1 + 5e-7, -5e-7]) == [SCORE_UNIT, 0]
    assert _units([1 / 3], torch.float32) == [round(float(np.float32(1 / 3)) * SCORE_UNIT)]


@pytest.mark.parametrize("value", [1.00001, -0.00001, float("nan"), float("inf"), float("-inf")])
def test_a_score_outside_its_bounds_is_an_error(value: float) -> None:
    with pytest.raises(TaskError, match=r"_Scores.score must lie in \[0, 1\].* for sample 1"):
        _units([0.5, value])


def test_scores_of_another_shape_are_an_error() -> None:
    wide, outputs = type("Wide", (Line,), {"score": lambda self, outputs, targets: outputs})(), torch.ones(3, 1)
    with pytest.raises(TaskError, match=r"one number per sample, shape \(3,\); got \(3, 1\)"):
        integer_scores(wide, outputs, outputs)


def test_an_evaluator_forgets_the_model_before(digits: Task) -> None:
    data = digits.load("evaluation")
    evaluator = Evaluator(digits, data)
    first, second = initial_parameters(digits, 1), initial_parameters(digits, 2)
    before = evaluator.scores(first)
    assert before.dtype == np.int64
    assert before.shape == (360,)
    assert not np.array_equal(evaluator.scores(second), before)
    assert np.array_equal(evaluator.scores(first), before)
    assert np.array_equal(Evaluator(digits, data).scores(first), before)


def test_evaluation_agrees_with_scores_and_with_counting(digits: Task) -> None:
    data = digits.load("evaluation")
    base = initial_parameters(digits, 1)
    update = train(digits, base, digits.load("training"), Recipe("sgd", 0.1, 32, 1, momentum=0.9), seed=1)
    parameters = {name: base[name] + update[name] for name in base}
    evaluation = evaluate(digits, parameters, data)
    scores = Evaluator(digits, data).scores(parameters)
    assert (evaluation.samples, evaluation.score) == (360, int(scores.sum()))
    assert evaluation.mean_score == pytest.approx(scores.mean() / SCORE_UNIT)
    hidden = np.maximum(data.features.numpy() @ parameters["0.weight"].T + parameters["0.bias"], 0)
    logits = hidden @ parameters["2.weight"].T + parameters["2.bias"]
    assert evaluation.accuracy == pytest.approx((logits.argmax(1) == data.targets.numpy()).mean())
    soft = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert scores == pytest.approx(soft[np.arange(360), data.targets.numpy()] * SCORE_UNIT, abs=4)


def test_scores_add_up_over_batches_and_in_order() -> None:
    task, samples = _Scores(), 2500
    values = torch.linspace(0, 1, samples)[:, None]
    identity = {"weight": np.ones((1, 1), np.float32), "bias": np.zeros(1, np.float32)}
    scores = Evaluator(task, Data(values, values)).scores(identity)
    assert scores.tolist() == [round(value * SCORE_UNIT) for value in values[:, 0].double().tolist()]


def test_building_an_evaluator_leaves_torch_as_it_was(digits: Task) -> None:
    state = torch.get_rng_state()
    Evaluator(digits, digits.load("root")).scores(initial_parameters(digits, 1))
    assert torch.equal(torch.get_rng_state(), state)


def test_scoring_changes_no_parameters(digits: Task) -> None:
    parameters = initial_parameters(digits, 1)
    before = model_hash(parameters)
    evaluate(digits, parameters, digits.load("root"))
    assert model_hash(parameters) == before


def test_an_infinite_model_is_an_error_not_a_score(digits: Task) -> None:
    parameters = dict(initial_parameters(digits, 1))
    parameters["2.bias"] = np.full(10, np.nan, np.float32)
    with pytest.raises(TaskError, match="NaN"):
        Evaluator(digits, digits.load("root")).scores(parameters)


def test_parameters_of_another_model_are_refused(digits: Task, line: Line) -> None:
    with pytest.raises(ParameterError, match="names"):
        Evaluator(digits, digits.load("root")).scores(initial_parameters(line, 1))


def test_accuracy_is_bounded_like_a_score_and_needs_classes(line: Line) -> None:
    parameters, data = initial_parameters(line, 1), line.load(None)
    with pytest.raises(TaskError, match="implement correct"):
        evaluate(line, parameters, data)
    close = type("Close", (Line,), {"correct": lambda self, outputs, targets: ((outputs - targets) < 9)[:, 0]})()
    evaluation = evaluate(close, parameters, data)
    assert evaluation.accuracy == 1.0
    assert 0 <= evaluation.mean_score <= 1
    assert Evaluation(2, SCORE_UNIT, 0.0).mean_score == 0.5
    counted = type("Counted", (Line,), {"correct": lambda self, outputs, targets: outputs[:, 0] * 0 + 2})()
    with pytest.raises(TaskError, match=r"Counted.correct must lie in \[0, 1\]"):
        evaluate(counted, parameters, data)


class _Wrong(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return (features * self.weight).mean()


def test_a_model_must_return_one_row_per_sample(line: Line) -> None:
    task = type("Pooled", (Line,), {"model": lambda self: _Wrong()})()
    with pytest.raises(TaskError, match="one row per sample, 64"):
        Evaluator(task, line.load(None)).scores({"weight": np.ones(1, np.float32)})


def test_features_that_do_not_fit_the_model_name_it(digits: Task) -> None:
    data = Data(torch.ones(4, 63), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(TaskError, match=r"Digits.model\(\)\(features\) failed: RuntimeError"):
        Evaluator(digits, data).scores(initial_parameters(digits, 1))
