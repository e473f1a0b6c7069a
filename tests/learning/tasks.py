"""Small tasks for tests."""

import torch

from learning.data import Data
from learning.task import Task


class Line(Task):
    """Fits a line, scored by closeness: the smallest task that is not a classification."""

    def model(self) -> torch.nn.Module:
        return torch.nn.Linear(1, 1)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs - targets).square().mean()

    def score(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 1 - (outputs - targets).square()[:, 0].clamp(0, 1)

    def load(self, source: str | None) -> Data:
        x = torch.linspace(-1, 1, 64)[:, None]
        return Data(x, 2 * x + 1)
