"""What is trained in the gate's benchmark: Fashion-MNIST (28 × 28) by two networks, small digits, and one tabular medical set.

Fashion-MNIST: Xiao, Rasul and Vollgraf 2017, from Debian's package dataset-fashion-mnist (`apt-get install
dataset-fashion-mnist`), or the same four files in the directory that FASHION_MNIST names. Breast Cancer Wisconsin (Wolberg,
Street and Mangasarian 1993) and the digits (8 × 8; Alpaydin and Kaynak 1998) are part of scikit-learn.
"""

import gzip
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import Tensor, nn
from torch.nn import functional

from learning.data import Data
from learning.errors import UnknownSourceError
from learning.partition import stratified_order
from learning.scores import soft_accuracy
from learning.task import Task

_FOLDER = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))


class Classification(Task):
    """Cross-entropy on classes, paid on the probability of the true one."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Probability of the true class."""
        return soft_accuracy(outputs, targets)


class FashionMlp(Classification):
    """784-64-10, 50,890 weights. Sources: "train" (60,000 images) and "test" (10,000), features (n, 1, 28, 28)."""

    def model(self) -> nn.Module:
        """The network named above."""
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))

    def load(self, source: str | None) -> Data:
        """One of the sources named above. Raises `UnknownSourceError`."""
        if source not in ("train", "test"):
            raise UnknownSourceError(source, ("train", "test"))
        return _fashion({"train": "train", "test": "t10k"}[source])


class FashionCnn(FashionMlp):
    """Two strided convolutions and a dense layer, 9,098 weights."""

    def model(self) -> nn.Module:
        """The network named above."""
        return nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(784, 10),
        )


class Digits(Classification):
    """64-32-10, 2,410 weights. Sources: "train" (1,497 images) and "test" (300), features (n, 64)."""

    def model(self) -> nn.Module:
        """The network named above."""
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def load(self, source: str | None) -> Data:
        """One of the sources named above. Raises `UnknownSourceError`."""
        if source not in ("train", "test"):
            raise UnknownSourceError(source, ("train", "test"))
        found = load_digits()
        order = stratified_order(found.target, 7)
        chosen = order[300:] if source == "train" else order[:300]
        pixels = (found.data[chosen] / 16).astype(np.float32)
        return Data(torch.from_numpy(pixels), torch.from_numpy(found.target[chosen].astype(np.int64)))


class BreastCancer(Classification):
    """Benign or malignant, from 30 standardised measurements; 30-16-2. Sources: "train" (469 patients), "test" (100)."""

    def model(self) -> nn.Module:
        """The network named above."""
        return nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))

    def load(self, source: str | None) -> Data:
        """One of the sources named above. Raises `UnknownSourceError`."""
        if source not in ("train", "test"):
            raise UnknownSourceError(source, ("train", "test"))
        found = load_breast_cancer()
        values = ((found.data - found.data.mean(0)) / found.data.std(0)).astype(np.float32)
        order = stratified_order(found.target, 7)
        chosen = order[100:] if source == "train" else order[:100]
        return Data(torch.from_numpy(values[chosen]), torch.from_numpy(found.target[chosen].astype(np.int64)))


@cache
def _fashion(part: str) -> Data:
    images = gzip.decompress((_FOLDER / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((_FOLDER / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return Data(torch.from_numpy(pixels), torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)))
