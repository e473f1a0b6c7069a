"""The built-in task `digits`: scikit-learn's 1,797 real handwritten digits, 8 × 8 pixels, part of the library, no download.

The data of a whole federation is cut from this one set, by seeds that are published here.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from learning.data import Data
from learning.errors import UnknownSourceError
from learning.partition import even_shares, parse_share, stratified_order
from learning.scores import soft_accuracy
from learning.task import Task

_ORDER_SEED = 20260101
_SHARES_SEED = 1
_EVALUATION = 360
_ROOT = 90


class Digits(Task):
    """Which digit was written? A 64-32-10 network; paid on the probability of the true class.

    Sources: "evaluation" (360 samples), "root" (90, the aggregator's own clean data), "training" (the other 1,347);
    "3/8", the third of eight label-skewed shares of the training data, and "3/8 iid", of eight even ones.
    """

    def model(self) -> nn.Module:
        """Two dense layers with a ReLU between them, 2,410 weights; the outputs are logits."""
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    score = staticmethod(soft_accuracy)

    def load(self, source: str | None) -> Data:
        """One of the sources named above. Raises `UnknownSourceError` for any other, and for None."""
        if source == "evaluation":
            return _cut(0, _EVALUATION)
        if source == "root":
            return _cut(_EVALUATION, _EVALUATION + _ROOT)
        training = _cut(_EVALUATION + _ROOT, None)
        if source == "training":
            return training
        share = None if source is None else parse_share(source)
        if share is None:
            raise UnknownSourceError(source, ("evaluation", "root", "training", "a share such as 3/8", "3/8 iid"))
        if share.even:
            return training.take(even_shares(len(training), share.parts, _SHARES_SEED)[share.number - 1])
        return self.split(training, share.parts, _SHARES_SEED)[share.number - 1]


def _cut(start: int, end: int | None) -> Data:
    # Found, not imported: scikit-learn takes longer to import than a round takes to train.
    library = find_spec("sklearn")
    assert library is not None
    assert library.origin is not None
    rows = np.loadtxt(Path(library.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    pixels, labels = rows[:, :-1], rows[:, -1].astype(np.int64)
    # Every prefix of the order is stratified, so all three parts are, near enough.
    chosen = stratified_order(labels, _ORDER_SEED)[start:end]
    return Data(torch.from_numpy((pixels[chosen] / 16).astype(np.float32)), torch.from_numpy(labels[chosen]))
