"""Kinds of samples: the classes of a classification; of any other task, quarters of its targets, so that skew has a meaning."""

import numpy as np
from numpy.typing import NDArray

from learning.data import Data

_QUARTERS = 4


class Strata:
    """Which kind each sample is of, as numbers 0 … `count` − 1.

    Class indices are kinds themselves (those of the root set and the evaluation shards together). Other targets are reduced to
    their mean per sample and cut at the quartiles of the root set: the documented substitute where there are no classes.
    """

    def __init__(self, root_set: Data, shards: tuple[Data, ...]) -> None:
        self._classes = _are_classes(root_set)
        if self._classes:
            seen = np.concatenate([data.targets.numpy() for data in (root_set, *shards)])
            self._values = np.unique(seen).astype(np.float64)
            self.count = len(self._values)
        else:
            marks = np.quantile(_means(root_set), np.arange(1, _QUARTERS) / _QUARTERS)
            self._values = np.unique(marks)
            self.count = len(self._values) + 1

    def of(self, data: Data) -> NDArray[np.int64]:
        """The kind of every sample, shape (samples,)."""
        means = _means(data)
        found = np.searchsorted(self._values, means, "left") if self._classes else np.searchsorted(self._values, means, "right")
        kinds: NDArray[np.int64] = np.minimum(found, self.count - 1).astype(np.int64)
        return kinds


def _are_classes(data: Data) -> bool:
    return data.targets.ndim == 1 and not data.targets.is_floating_point()


def _means(data: Data) -> NDArray[np.float64]:
    means: NDArray[np.float64] = data.targets.numpy().astype(np.float64).reshape(len(data), -1).mean(axis=1)
    return means
