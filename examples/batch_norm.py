"""Dense layers with batch normalisation on measurements of breast tumours: benign or malignant?"""

from pathlib import Path

import numpy
import sklearn
import torch
from torch import nn
from torch.nn import functional

from fairshare import Data, Task, soft_accuracy

SHIPPED = Path(sklearn.__file__).parent / "datasets" / "data" / "breast_cancer.csv"
MEASUREMENTS = 30


class BatchNorm(Task):
    """Paid on the probability of the true diagnosis."""

    def model(self):
        """Two hidden layers, normalised over the batch. The running mean and variance travel, the count of batches stays."""
        return nn.Sequential(
            nn.Linear(MEASUREMENTS, 24),
            nn.BatchNorm1d(24),
            nn.ReLU(),
            nn.Linear(24, 12),
            nn.BatchNorm1d(12),
            nn.ReLU(),
            nn.Linear(12, 2),
        )

    def loss(self, outputs, targets):
        """Cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    def score(self, outputs, targets):
        """Probability of the true diagnosis."""
        return soft_accuracy(outputs, targets)

    def load(self, source):
        """`PATH#SHARE`: a CSV file of one header line, then 30 measurements and the diagnosis (0 or 1) in each row.

        Measurements spread over five powers of ten; their logarithms lie within a few units of 0 for every node alike.
        """
        path, _, share = (source or "").partition("#")
        rows = numpy.loadtxt(path or SHIPPED, delimiter=",", skiprows=1, dtype="float32", ndmin=2)
        features = torch.from_numpy(numpy.log(rows[:, :-1] + 0.01))
        return self.share(Data(features, torch.from_numpy(rows[:, -1]).long()), share)
