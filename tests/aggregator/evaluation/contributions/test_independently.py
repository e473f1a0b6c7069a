"""Contributions against another implementation, on real data and models of other kinds than the built-in ones.

The other one evaluates each coalition by `torch.func.functional_call` with parameters that it sums in float64, and takes the
formula from the textbook. Data are split by Dirichlet(0.1); one node is another's clone, one sends zeros.
"""

from collections.abc import Callable
from math import comb

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from aggregator.evaluation.contributions.contribute import Contributions, contribute
from aggregator.evaluation.contributions.estimate import Estimator
from aggregator.evaluation.contributions.round_game import RoundGame
from learning.data import Data
from learning.partition import dirichlet_shares
from learning.scores import clipped_log_likelihood, clipped_margin, clipped_squared_error
from tests.learning.coalitions.zoo import ZooTask

Score = Callable[[Tensor, Tensor], Tensor]


class Table(nn.Module):
    """Tabular data of which the first column is a category."""

    def __init__(self) -> None:
        super().__init__()
        self.categories, self.hidden, self.head = nn.Embedding(5, 4), nn.Linear(33, 8), nn.Linear(8, 2)

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.hidden(torch.cat([rows[:, 1:], self.categories(rows[:, 0].long())], 1)).tanh())


class Residual(nn.Module):
    """A residual block with batch normalisation, whose statistics are frozen since an evaluation does not update them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.norm = nn.Conv2d(1, 4, 3, 2), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.head = nn.Linear(36, 10)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images.view(-1, 1, 8, 8)).relu()
        return self.head((stem + self.norm(self.block(stem)).relu()).flatten(1))


def table() -> Data:
    rows, targets = load_breast_cancer(return_X_y=True)
    rows = (rows - rows.mean(0)) / rows.std(0)
    rows[:, 0] = np.clip(np.round(rows[:, 0]) + 2, 0, 4)
    return Data(torch.tensor(rows).float(), torch.tensor(targets))


def images() -> Data:
    rows, targets = load_digits(return_X_y=True)
    return Data(torch.tensor(rows / 16).float(), torch.tensor(targets))


def numbers() -> Data:
    rows, targets = load_diabetes(return_X_y=True)
    return Data(torch.tensor(20 * rows).float(), torch.tensor((targets - 150) / 150).float()[:, None])


def regression() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 12), nn.GELU(), nn.Linear(12, 1))


KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Data], Score]] = {
    "tabular with an embedding": (Table, table, clipped_margin),
    "residual with frozen batch normalisation": (Residual, images, clipped_log_likelihood),
    "regression": (regression, numbers, clipped_squared_error),
}


class Round:
    """A trained round: `players` nodes, the last but one a clone of the first, the last one without an update."""

    def __init__(self, kind: str, players: int, seed: int) -> None:
        build, load, self.score = KINDS[kind]
        torch.manual_seed(seed)
        self.module = build().eval()
        data = load()
        order = np.random.RandomState(seed).permutation(len(data))
        self.evaluation, rest = data.take(order[:100]), data.take(order[100:])
        labels = rest.targets.numpy() if rest.targets.ndim == 1 else (rest.targets[:, 0] > 0).long().numpy()
        shares = dirichlet_shares(labels, players - 2, 0.1, seed, 3)
        start = {name: tensor.clone() for name, tensor in self.module.state_dict().items() if tensor.is_floating_point()}
        self.base = {name: tensor.numpy().copy() for name, tensor in start.items()}
        trained = [self._train(start, rest.take(share)) for share in shares]
        self.updates = [*trained, trained[0], {name: np.zeros_like(array) for name, array in self.base.items()}]
        self.weights = [*map(len, shares), len(shares[0]), 50]
        self.task = ZooTask(build)
        self.task.score = self.score  # type: ignore[method-assign,assignment]  # the metric is the task's to choose

    def _train(self, start: dict[str, Tensor], data: Data) -> dict[str, np.ndarray]:
        self.module.load_state_dict(start, strict=False)
        optimiser = torch.optim.SGD(self.module.parameters(), 0.05)
        for at in range(0, min(len(data), 160), 16):
            optimiser.zero_grad()
            outputs, targets = self.module(data.features[at : at + 16]), data.targets[at : at + 16]
            loss = functional.cross_entropy(outputs, targets) if targets.ndim == 1 else functional.mse_loss(outputs, targets)
            loss.backward()
            optimiser.step()
        state = self.module.state_dict()
        return {name: (state[name] - start[name]).numpy() for name in start}

    def truth(self) -> np.ndarray:
        """Shapley values in units of 2^-20 of a sample's score."""
        players, share = len(self.updates), np.array(self.weights) / sum(self.weights)
        utilities = np.empty(1 << players)
        for coalition in range(1 << players):
            state = {
                name: array.astype(np.float64)
                + sum(share[k] * self.updates[k][name].astype(np.float64) for k in range(players) if coalition >> k & 1)
                for name, array in self.base.items()
            }
            with torch.no_grad():
                tensors = {name: torch.tensor(array).float() for name, array in state.items()}
                outputs = functional_call(self.module, tensors, (self.evaluation.features,))
                utilities[coalition] = 2**20 * float(self.score(outputs, self.evaluation.targets).double().sum())
        return np.array([
            sum(
                (utilities[one | 1 << k] - utilities[one]) / (players * comb(players - 1, one.bit_count()))
                for one in range(1 << players)
                if not one >> k & 1
            )
            for k in range(players)
        ])  # fmt: skip

    def contributions(self, evaluations: int = 0) -> Contributions:
        """fairshare's."""
        game = RoundGame(self.task, [self.evaluation], self.base, self.updates, self.weights)
        return contribute(range(len(self.updates)), game, evaluations * game.cost, bytes(32))


def vector(found: Contributions) -> np.ndarray:
    return np.array([found.values[node] / found.denominator for node in sorted(found.values)])


@pytest.mark.parametrize("kind", KINDS)
def test_enumeration_is_the_other_implementations(kind: str) -> None:
    played = Round(kind, 7, seed=3)
    found, true = played.contributions(), played.truth()
    assert np.linalg.norm(vector(found) - true) < 1e-4 * np.linalg.norm(true)
    assert found.values[6] == 0
    assert found.values[0] == found.values[5]


@pytest.mark.parametrize("kind", KINDS)
def test_estimates_are_near_it_on_more_nodes_than_are_enumerated(kind: str) -> None:
    played = Round(kind, 14, seed=4)
    estimated, exact = played.contributions(43), played.contributions(1 << 13)
    assert estimated.published.stages[-1].estimator is Estimator.KRIGING
    assert exact.published.stages[-1].estimator is Estimator.ENUMERATION
    assert np.linalg.norm(vector(estimated) - vector(exact)) < 0.02 * np.linalg.norm(vector(exact))
    assert estimated.values[13] == 0
    assert abs(estimated.values[0] - estimated.values[12]) <= 1
