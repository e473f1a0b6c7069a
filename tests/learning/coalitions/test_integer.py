"""The integer evaluator: the same integers however the work is cut, near the real ones, refused where it is not exact."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from learning.coalitions import batched, integer
from learning.coalitions.choice import choose_evaluator
from learning.coalitions.evaluator import CoalitionEvaluator
from learning.coalitions.graph import trace
from learning.coalitions.grids import EXACT_FLOAT64, input_bits, plan
from learning.coalitions.integer import Integer
from learning.coalitions.mixture import Mixture
from learning.evaluator import Evaluator
from learning.scores import clipped_log_likelihood, clipped_margin, soft_accuracy
from tests.learning.coalitions.test_evaluators import MEMORY, PLAYERS, WEIGHTS, every_coalition, merged
from tests.learning.coalitions.zoo import ZOO, ZooTask, zoo_data, zoo_updates

EXACT = {"sequential", "convolutional", "one matrix"}
SHARES = every_coalition(PLAYERS)


class Soft(ZooTask):
    score = staticmethod(soft_accuracy)


class LogLikelihood(ZooTask):
    score = staticmethod(clipped_log_likelihood)


class Margin(ZooTask):
    score = staticmethod(clipped_margin)


METRICS = {"soft": Soft, "log-likelihood": LogLikelihood, "margin": Margin}


def evaluator(name: str, metric: str = "soft", samples: int = 300, size: float = 0.3, memory: int = MEMORY) -> CoalitionEvaluator:
    task, data = METRICS[metric](ZOO[name]._build), zoo_data(name, samples)
    base, updates = zoo_updates(task, PLAYERS, size=size)
    return choose_evaluator(task, data, base, updates, WEIGHTS, memory)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", [name for name in ZOO if name != "regression"])
def test_chains_of_known_layers_are_evaluated_in_integers(name: str) -> None:
    assert isinstance(evaluator(name), Integer) == (name in EXACT)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", sorted(EXACT))
def test_scores_are_near_those_of_the_merged_models(name: str, metric: str) -> None:
    task, data = METRICS[metric](ZOO[name]._build), zoo_data(name, 300)
    base, updates = zoo_updates(task, PLAYERS)
    found = evaluator(name, metric).evaluate(SHARES)
    assert found.scorable.all()
    reference = Evaluator(task, data)
    for row, shares in zip(found.scores, SHARES, strict=True):
        true = reference.scores(merged(base, updates, shares))
        # Activations are counted in 2^-16, so a score is off by some 2^-14 at most, and a mean by much less.
        assert np.abs(row - true).max() < 2**20 * 2**-11
        assert abs(int(row.sum()) - int(true.sum())) < 300 * 2**20 * 2**-14


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("name", "metric"), [("sequential", "soft"), ("convolutional", "log-likelihood")])
def test_integers_are_the_same_however_the_work_is_cut(name: str, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    scores = evaluator(name, metric, 120).evaluate(SHARES).scores
    torch.set_num_threads(2)
    for samples, cache, memory in ((17, 1 << 14, MEMORY), (50, 1 << 22, MEMORY), (256, 1 << 16, 20_000)):
        monkeypatch.setattr(integer, "_SAMPLES", samples)
        monkeypatch.setattr(batched, "_CACHE", cache)
        other = evaluator(name, metric, 120, memory=memory)
        assert isinstance(other, Integer)
        order = np.random.default_rng(samples).permutation(len(SHARES))
        assert np.array_equal(other.evaluate(SHARES[order]).scores, scores[order])


def test_a_null_player_changes_no_integer_and_a_share_is_whole() -> None:
    task, data = Soft(ZOO["sequential"]._build), zoo_data("sequential", 50)
    base, updates = zoo_updates(task, PLAYERS)
    updates[2] = {name: np.zeros_like(array) for name, array in base.items()}
    found = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY)
    scores = found.evaluate(SHARES).scores
    without = SHARES[:, 2] == 0
    assert np.array_equal(scores[without], scores[~without])
    with pytest.raises(ValueError, match="0 or 1"):
        found.evaluate(np.full((1, PLAYERS), 0.5))


def test_every_sum_stays_exact_or_the_model_is_evaluated_in_floats() -> None:
    assert isinstance(evaluator("sequential", size=2), Integer)
    assert not isinstance(evaluator("sequential", size=1e6), Integer)
    assert not isinstance(evaluator("convolutional", size=1e15), Integer)


def test_the_bound_holds_for_every_coalition() -> None:
    task, data = Soft(ZOO["convolutional"]._build), zoo_data("convolutional", 60)
    base, updates = zoo_updates(task, PLAYERS, size=2)
    graph = trace(task.model().eval(), base.keys())
    assert graph is not None
    grids = plan(graph, Mixture(base, updates, WEIGHTS, MEMORY), data.features)
    assert grids is not None
    # Sums in Python's integers, of the layer that the largest numbers reach.
    weight = grids.tensors["2.weight" if "2.weight" in grids.tensors else next(iter(grids.tensors))]
    largest = int((data.features.double().abs() * 2.0**grids.inputs).round().max())
    reached = max(sum(int(value) for value in row) * largest for row in weight.abs().sum(0).flatten(1).tolist())
    assert reached < EXACT_FLOAT64


def test_features_that_are_pixels_are_held_exactly() -> None:
    assert input_bits(torch.arange(17) / 16) == 4
    assert input_bits(torch.tensor([3.0, -5.0])) == 0
    assert input_bits(torch.tensor([0.1])) == 12


def test_a_dense_model_of_many_layers_is_exact_too() -> None:
    def deep() -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten(), nn.Linear(36, 24), nn.ReLU()]
        for _ in range(4):
            layers += [nn.Linear(24, 24), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(24, 3))

    task, data = LogLikelihood(deep), zoo_data("dense", 40)
    base, updates = zoo_updates(task, PLAYERS, size=0.1)
    found = choose_evaluator(task, data, base, updates, WEIGHTS, MEMORY)
    assert isinstance(found, Integer)
    reference = Evaluator(task, data)
    for row, shares in zip(found.evaluate(SHARES).scores, SHARES, strict=True):
        assert np.abs(row - reference.scores(merged(base, updates, shares))).max() < 2**20 * 2**-9
