"""Models of every kind that a user may bring, each as a task, with updates that are nothing like one another."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from learning.data import Data
from learning.parameters import initial_parameters
from learning.scores import clipped_squared_error, soft_accuracy
from learning.task import Task
from protocol.parameters import Parameters

CLASSES = 3


class ZooTask(Task):
    """Classifies with the module that `build` makes."""

    def __init__(self, build: Callable[[], nn.Module]) -> None:
        self._build = build

    def model(self) -> nn.Module:
        return self._build()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return soft_accuracy(outputs, targets)

    def load(self, source: str | None) -> Data:
        raise NotImplementedError


class Regression(ZooTask):
    """Predicts numbers."""

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return clipped_squared_error(outputs, targets)


class Dense(nn.Module):
    """A forward pass of one's own, with a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(36, 8), nn.Linear(8, 8, bias=False), nn.Linear(8, CLASSES)

    def forward(self, features: Tensor) -> Tensor:
        hidden = functional.relu(self.first(features.flatten(1)))
        return self.last(hidden + torch.tanh(self.second(hidden)))


class Residual(nn.Module):
    """Convolutions with a skip connection and group normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")
        self.norm, self.head = nn.GroupNorm(2, 4), nn.Linear(4, 3)

    def forward(self, features: Tensor) -> Tensor:
        stem = torch.relu(self.stem(features.view(-1, 1, 6, 6)))
        return self.head((stem + self.norm(self.block(stem)).relu()).mean((2, 3)))


class FrozenNorm(nn.Module):
    """Batch normalisation by statistics that are part of the state, as frozen ones are."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.full((channels,), 0.1))
        self.register_buffer("variance", torch.full((channels,), 2.0))

    def forward(self, values: Tensor) -> Tensor:
        return functional.batch_norm(values, self.mean, self.variance, self.weight, self.bias)


class Words(nn.Module):
    """An embedding of tokens, with positions made on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions, self.head = nn.Embedding(11, 6), nn.Embedding(5, 6), nn.Linear(6, CLASSES)

    def forward(self, features: Tensor) -> Tensor:
        return self.head((self.words(features) + self.positions(torch.arange(features.shape[1]))).mean(1))


class Branching(nn.Module):
    """Does different things for different values, which nothing can take apart."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = nn.Linear(36, CLASSES), nn.Linear(36, CLASSES)

    def forward(self, features: Tensor) -> Tensor:
        flat = features.flatten(1)
        return self.low(flat) if float(flat.sum()) < 0 else self.high(flat)


class Recurrent(nn.Module):
    """A layer that puts out more than one value."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.head = nn.GRU(6, 5, batch_first=True), nn.Linear(5, CLASSES)

    def forward(self, features: Tensor) -> Tensor:
        _, last = self.cells(features.view(-1, 6, 6))
        return self.head(last[0])


class Tied(nn.Module):
    """One tensor under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(36, 36), nn.Linear(36, 36), nn.Linear(36, CLASSES)
        self.two.weight = self.one.weight

    def forward(self, features: Tensor) -> Tensor:
        return self.head(torch.relu(self.two(torch.relu(self.one(features.flatten(1))))))


def _sequential() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(36, 7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, CLASSES)
    )


def _convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Identity(),
        nn.Unflatten(1, (1, 6)),
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def _frozen() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv2d(1, 4, 3), FrozenNorm(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


ZOO: dict[str, ZooTask] = {
    "sequential": ZooTask(_sequential),
    "dense": ZooTask(Dense),
    "convolutional": ZooTask(_convolutional),
    "residual": ZooTask(Residual),
    "frozen batch-norm": ZooTask(_frozen),
    "words": ZooTask(Words),
    "branching": ZooTask(Branching),
    "recurrent": ZooTask(Recurrent),
    "tied": ZooTask(Tied),
    "regression": Regression(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.Tanh(), nn.Linear(4, 1))),
    "one matrix": ZooTask(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES, bias=False))),
}
TRACEABLE = {"sequential", "dense", "convolutional", "residual", "frozen batch-norm", "regression", "one matrix"}


def zoo_data(name: str, samples: int, seed: int = 0) -> Data:
    """Random samples that the model takes."""
    draw = torch.Generator().manual_seed(seed)
    if name == "words":
        features = torch.randint(0, 11, (samples, 5), generator=draw)
    else:
        features = torch.randn(samples, 6, 6, generator=draw)
    if name == "regression":
        return Data(features, torch.rand(samples, 1, generator=draw))
    return Data(features, torch.randint(0, CLASSES, (samples,), generator=draw))


def zoo_updates(
    task: Task, players: int, seed: int = 0, size: float = 0.3
) -> tuple[Parameters, list[dict[str, NDArray[np.float32]]]]:
    """A base and random updates of the task's model."""
    draw, base = np.random.default_rng(seed), initial_parameters(task, seed)
    updates = [
        {name: (size * draw.standard_normal(array.shape)).astype(np.float32) for name, array in base.items()}
        for _ in range(players)
    ]
    for update in updates:
        for name in update:
            if "variance" in name:
                update[name] = np.abs(update[name])
    return base, updates
