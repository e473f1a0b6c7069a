"""The rounds that are measured on: Fashion-MNIST, label-skewed nodes, one of them with flipped labels and one free-rider."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from aggregator.evaluation.contributions.game import HERE, Resources
from aggregator.evaluation.contributions.round_game import RoundGame
from aggregator.evaluation.merge.mean import WeightedMean
from learning.data import Data
from learning.parameters import initial_parameters
from learning.partition import dirichlet_shares
from learning.recipe import Recipe
from learning.scores import clipped_log_likelihood, soft_accuracy
from learning.task import Task
from learning.tasks.fashion_mnist import FashionMnist, FashionMnistCnn
from learning.training import train
from protocol.parameters import Parameters

Metric = Callable[[Tensor, Tensor], Tensor]

METRICS: dict[str, Metric] = {"log-likelihood": clipped_log_likelihood, "soft accuracy": soft_accuracy}

_SKEW = 0.3
_FEWEST = 40


class Scored(FashionMnist):
    """A Fashion-MNIST task that is scored by a metric of choice."""

    def __init__(self, architecture: FashionMnist, metric: Metric) -> None:
        self._architecture, self._metric = architecture, metric

    def model(self) -> nn.Module:
        """The architecture's."""
        return self._architecture.model()

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:  # type: ignore[override]  # the built-in one has a floor besides
        """The metric's."""
        return self._metric(outputs, targets)


class Exact(FashionMnist):
    """The same, saying that it is paid on the metric itself, so that it gets the integer evaluator."""

    def __init__(self, architecture: FashionMnist, metric: Metric) -> None:
        self.model = architecture.model  # type: ignore[method-assign]  # the task's whole content
        self.score = metric  # type: ignore[assignment]  # what is compared with the metrics that are exact


class FashionMnistWide(FashionMnist):
    """Three wide dense layers, 10.0 M weights."""

    def model(self) -> nn.Module:
        """784-2048-4080-10."""
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 4080), nn.ReLU(), nn.Linear(4080, 10))


class Setting(NamedTuple):
    """How a round comes about: after `rounds` rounds of federated averaging of `nodes` nodes on `training` images."""

    name: str
    architecture: FashionMnist
    nodes: int
    training: int
    rounds: int
    epochs: int
    samples: int
    """Evaluation samples, at most 2,000."""


MLP10 = Setting("n=10 MLP", FashionMnist(), 10, 20_000, 3, 1, 2000)
CNN10 = Setting("n=10 CNN", FashionMnistCnn(), 10, 20_000, 3, 1, 2000)
MLP16 = Setting("n=16 MLP", FashionMnist(), 16, 20_000, 3, 1, 500)
MLP100 = Setting("n=100 MLP", FashionMnist(), 100, 40_000, 5, 2, 1000)
MLP200 = Setting("n=200 MLP", FashionMnist(), 200, 60_000, 5, 2, 1000)
WIDE20 = Setting("n=20, 10 M parameters", FashionMnistWide(), 20, 4_000, 1, 1, 200)


@dataclass(frozen=True)
class Played:
    """A round to be measured: `updates` of the nodes on `base`, their sample counts, and the images nobody trained on."""

    setting: Setting
    base: Parameters
    updates: tuple[Parameters, ...]
    samples: tuple[int, ...]
    pool: Data

    @cached_property
    def evaluation(self) -> Data:
        """What the round is evaluated on."""
        return self.split(0)[0]

    def split(self, number: int) -> tuple[Data, Data]:
        """Images to evaluate on, drawn at random, and four times as many others: what a standard error speaks of."""
        order, samples = np.random.RandomState(number).permutation(len(self.pool)), self.setting.samples
        return self.pool.take(order[:samples]), self.pool.take(order[samples : 5 * samples])

    @property
    def weights(self) -> np.ndarray:
        """Fixed weights n_i / n_N of the updates in float64, (players,)."""
        return np.array(self.samples) / sum(self.samples)

    def task(self, metric: str) -> Task:
        """The round's task, scored by one of `METRICS`."""
        return Scored(self.setting.architecture, METRICS[metric])

    def game(self, metric: str, data: Data | None = None, resources: Resources = HERE) -> RoundGame:
        """The round's game, as a federation plays it."""
        shards = (self.evaluation if data is None else data,)
        return RoundGame(self.task(metric), shards, self.base, self.updates, self.samples, resources)


def play(setting: Setting, seed: int) -> Played:
    """Train up to the round that is measured. The last node sends zeros, the last but one trains on flipped labels."""
    torch.set_num_threads(1)
    task = setting.architecture
    data = task.load("training").take(np.random.RandomState(seed).permutation(60_000)[: setting.training])
    shares = [data.take(one) for one in dirichlet_shares(data.targets.numpy(), setting.nodes, _SKEW, seed, _FEWEST)]
    shares[-2] = Data(shares[-2].features, (shares[-2].targets + 1) % 10)
    samples = tuple(map(len, shares))
    recipe = Recipe("sgd", learning_rate=0.05, batch_size=32, epochs=setting.epochs)
    base: Parameters = initial_parameters(task, seed)
    updates: tuple[Parameters, ...] = ()
    for number in range(setting.rounds + 1):
        if updates:
            base = WeightedMean(base, updates, samples).of_all()
        trained = [train(task, base, share, recipe, seed=1000 * number + node) for node, share in enumerate(shares[:-1])]
        updates = (*trained, {name: np.zeros_like(array) for name, array in base.items()})
    parts = [task.load(source) for source in ("evaluation", "root", "test")]
    pool = Data(torch.cat([part.features for part in parts]), torch.cat([part.targets for part in parts]))
    return Played(setting, base, updates, samples, pool)
