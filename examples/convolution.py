"""A convolutional network on handwritten digits."""

from pathlib import Path

import numpy
import sklearn
import torch
from torch import nn
from torch.nn import functional

from fairshare import Data, Task, soft_accuracy

SHIPPED = Path(sklearn.__file__).parent / "datasets" / "data" / "digits.csv.gz"


class Convolution(Task):
    """Which digit was written? Paid on the probability of the true one."""

    def model(self):
        """Two convolutions, each halving the picture, and a dense layer: 6,090 weights."""
        return nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 2 * 2, 10),
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
