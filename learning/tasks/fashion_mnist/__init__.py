"""The built-in task `fashion-mnist`: 70,000 real photographs of clothes, 28 × 28 pixels, ten classes.

Source: Xiao, Rasul and Vollgraf, Fashion-MNIST (2017, arXiv 1708.07747). The images are not part of the library: Debian and
Ubuntu install them with `apt install dataset-fashion-mnist`, and any folder with the four IDX files will do.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from learning.data import Data
from learning.errors import DataError, UnknownSourceError
from learning.partition import even_shares, parse_share, stratified_order
from learning.scores import clipped_log_likelihood
from learning.task import Task

from .idx import read_idx

FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package puts the files; the folder of a source that names none."""

_ORDER_SEED = 20260101
_SHARES_SEED = 1
_SIDE = 28
_CLASSES = 10
_SOURCES = (
    "evaluation",
    "root",
    "test",
    "training",
    "a share such as 3/8",
    "3/8 iid",
    "any of them in a folder, as in FOLDER:root",
)


class FashionMnist(Task):
    """Which of ten kinds of clothes is it? A 784-128-10 network; paid on the clipped log-likelihood of the true class.

    Sources: "evaluation" (a fifth of the test images), "root" (a tenth, the aggregator's own clean data), "test" (the other
    seven tenths), "training" (all training images); "3/8", the third of eight label-skewed shares of the training images, and
    "3/8 iid", of eight even ones. "FOLDER:SOURCE" reads the files in FOLDER instead of the Debian package's.
    """

    def model(self) -> nn.Module:
        """Two dense layers with a ReLU between them, 101,770 weights; the outputs are logits."""
        return nn.Sequential(nn.Flatten(), nn.Linear(_SIDE * _SIDE, 128), nn.ReLU(), nn.Linear(128, _CLASSES))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy."""
        return functional.cross_entropy(outputs, targets)

    score = staticmethod(clipped_log_likelihood)

    def load(self, source: str | None) -> Data:
        """One of the sources named above; features (samples, 1, 28, 28).

        Raises `UnknownSourceError` for any other, and for None; `DataError` where the files are missing or damaged.
        """
        folder, colon, name = (source or "").rpartition(":")
        files = Path(folder).expanduser() if colon else FOLDER
        if name in ("evaluation", "root", "test"):
            images, labels = _read(files, "t10k")
            # Every prefix of the order is stratified, so all three parts are, near enough.
            order = stratified_order(labels, _ORDER_SEED)
            fifth, tenth = len(order) // 5, len(order) // 10
            parts = {"evaluation": order[:fifth], "root": order[fifth : fifth + tenth], "test": order[fifth + tenth :]}
            return _data(images, labels, parts[name])
        share = parse_share(name)
        if share is None and name != "training":
            raise UnknownSourceError(source, _SOURCES)
        images, labels = _read(files, "train")
        if share is None:
            return _data(images, labels, np.arange(len(labels)))
        if share.even:
            return _data(images, labels, even_shares(len(labels), share.parts, _SHARES_SEED)[share.number - 1])
        return self.split(_data(images, labels, np.arange(len(labels))), share.parts, _SHARES_SEED)[share.number - 1]


class FashionMnistCnn(FashionMnist):
    """The same on two convolutions and two dense layers, 105,866 weights: `learning.tasks.fashion_mnist:FashionMnistCnn`."""

    def model(self) -> nn.Module:
        """Convolutions with stride 2 instead of pooling; the outputs are logits."""
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 64),
            nn.ReLU(),
            nn.Linear(64, _CLASSES),
        )


def _read(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        images = read_idx(folder, f"{part}-images-idx3-ubyte", 3)
        labels = read_idx(folder, f"{part}-labels-idx1-ubyte", 1).astype(np.int64)
    except DataError as error:
        raise DataError(
            f"{error}. Fashion-MNIST comes with `apt install dataset-fashion-mnist`, "
            "or name a folder with its four IDX files, as in FOLDER:evaluation"
        ) from error
    if images.shape[1:] != (_SIDE, _SIDE) or len(images) != len(labels) or int(labels.max(initial=0)) >= _CLASSES:
        raise DataError(
            f"the {part} files in {folder} hold images {images.shape} and {len(labels)} labels up to {labels.max(initial=0)}: "
            f"expected {_SIDE} × {_SIDE} pixels, one label each, below {_CLASSES}; use the files of Fashion-MNIST"
        )
    return images, labels


def _data(images: NDArray[np.uint8], labels: NDArray[np.int64], chosen: NDArray[np.int64]) -> Data:
    # About centred, and multiples of 2^-7, so that arithmetic on integers can hold them exactly.
    pixels = (images[chosen].astype(np.float32)[:, None] - 64) / 128
    return Data(torch.from_numpy(pixels), torch.from_numpy(labels[chosen]))
