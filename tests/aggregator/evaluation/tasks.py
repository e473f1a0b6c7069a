"""Tasks whose game is known in advance: a model is one number per node, and coalitions' models are read off it exactly.

Node i's update is the unit vector i, so all norms are equal, no two updates are, and the model of a coalition holds the share
of samples of each member, w_i = n_i / Σ n.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor, nn

from learning.data import Data
from learning.task import Task
from protocol.parameters import Parameters
from tests.support.rounds import Federation, Sent


class Shares(nn.Module):
    """Holds one number per node; its output is the same for every sample."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.zeros(nodes))

    def forward(self, features: Tensor) -> Tensor:
        return self.shares.expand(len(features), -1)


class ShareTask(Task):
    """Scores a sample (a row of the targets) by `worth` of the shares."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes

    def model(self) -> nn.Module:
        return Shares(self.nodes)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.mean()

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.worth(outputs.double(), targets.double())

    def worth(self, shares: Tensor, targets: Tensor) -> Tensor:
        """The share of each sample's own member: an additive game."""
        return (shares * targets).sum(1)

    def load(self, source: str | None) -> Data:
        return samples(np.eye(self.nodes, dtype=np.float32))


class Voting(ShareTask):
    """A coalition wins a sample if it holds the quota of the votes, which are sample counts out of `votes`."""

    def __init__(self, nodes: int, votes: int, quota: int) -> None:
        super().__init__(nodes)
        self.votes, self.quota = votes, quota

    def worth(self, shares: Tensor, targets: Tensor) -> Tensor:
        return ((shares.sum(1) * self.votes).round() >= self.quota).double()


class Rooted(ShareTask):
    """Scores the square root of the first share: a negative one cannot be scored, whoever else is in the coalition."""

    def worth(self, shares: Tensor, targets: Tensor) -> Tensor:
        return (0.25 + shares[:, 0]).sqrt().clamp(max=1)


class Saturated(ShareTask):
    """Scores 1 where the first share is positive, even if it is infinite."""

    def worth(self, shares: Tensor, targets: Tensor) -> Tensor:
        return torch.sigmoid(shares[:, 0])


def samples(targets: np.ndarray) -> Data:
    """One sample per row of targets."""
    return Data(torch.zeros(len(targets), 1), torch.from_numpy(targets))


def federation(task: ShareTask, base: Parameters | None = None, shards: tuple[Data, ...] | None = None) -> Federation:
    """A federation on such a task, starting from zeros."""
    data = task.load(None)
    start = base or {"shares": np.zeros(task.nodes, np.float32)}
    return Federation(task, start, shards or (data,), data, hashlib.sha256(type(task).__name__.encode()).digest())


def unit(node: int, nodes: int, samples: int = 1, value: float = 1) -> Sent:
    """The update of node `node`: nothing but `value` at its own place."""
    return Sent({"shares": np.float32(value) * np.eye(nodes, dtype=np.float32)[node]}, samples)
