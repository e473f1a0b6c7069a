"""A residual network with group normalisation, which keeps no running statistics, on handwritten digits."""

from pathlib import Path

import numpy
import sklearn
import torch
from torch import nn
from torch.nn import functional

from fairshare import Data, Task, soft_accuracy

SHIPPED = Path(sklearn.__file__).parent / "datasets" / "data" / "digits.csv.gz"
CHANNELS = 8


class Block(nn.Module):
    """Two convolutions whose output is added to their input (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self):
        """Weights are drawn by torch, which the caller has seeded."""
        super().__init__()
        self.first = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(2, CHANNELS)
        self.second = nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(2, CHANNELS)

    def forward(self, pictures):
        """(samples, channels, height, width) to the same."""
        inner = functional.relu(self.first_norm(self.first(pictures)))
        return functional.relu(pictures + self.second_norm(self.second(inner)))


class Residual(Task):
    """Which digit was written? Paid on the probability of the true one."""

    def model(self):
        """A convolution, two residual blocks, each halving the picture, and a dense layer: 2,778 weights."""
        return nn.Sequential(
            nn.Conv2d(1, CHANNELS, kernel_size=3, padding=1),
            Block(),
            nn.MaxPool2d(2),
            Block(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(CHANNELS * 2 * 2, 10),
        )

    def loss(self, outputs, targets):
        """Cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    def score(self, outputs, targets):
        """Probability of the true digit."""
        return soft_accuracy(outputs, targets)

    def load(self, source):
        """`PATH#SHARE`: a CSV file, gzipped or not, of 64 grey values from 0 to 16 and the digit; see examples/README.md."""
        path, _, share = (source or "").partition("#")
        rows = numpy.loadtxt(path or SHIPPED, delimiter=",", dtype="float32", ndmin=2)
        pictures = torch.from_numpy(rows[:, :-1] / 16).reshape(-1, 1, 8, 8)
        return self.share(Data(pictures, torch.from_numpy(rows[:, -1]).long()), share)
