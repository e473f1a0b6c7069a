"""Which samples of the root set have inputs of the same kind: those that lean the way in which one sample of them is unusual.

Nodes differ in their inputs, too: another scanner, another camera, another machine. Where the root set holds several kinds, one
of its samples tells which others are like it, without anybody having to name the kinds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.data import Data

_LEVELS = 255
_FLOATS = 1 << 22
"""That are made of the inputs at a time, 32 MiB."""


def leanings(data: Data, kinds: NDArray[np.int64], drawn: Sequence[int]) -> NDArray[np.float64]:
    """How far every sample leans the way of each `drawn` one (positions in `data`), shape (samples, drawn).

    The inner product of its inputs with what those of the drawn one differ by from the mean of their kind. Inputs are rounded to
    256 levels from the least to the greatest of all: every sum is of integers and below 2^53 (for less than 10^11 inputs), so
    that no order of adding changes a bit, and every machine takes the same samples for alike.
    """
    flat = data.features.numpy().reshape(len(data), -1)
    low, high = float(flat.min()), float(flat.max())
    unit = (high - low) / _LEVELS or 1.0

    def levels(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.rint((flat[rows].astype(np.float64) - low) / unit)

    ways = np.stack([levels(np.array([one]))[0] for one in drawn], axis=1)
    means: dict[int, NDArray[np.float64]] = {}
    for column, one in enumerate(drawn):
        kind = int(kinds[one])
        if kind not in means:
            means[kind] = np.rint(levels(np.flatnonzero(kinds == kind)).mean(axis=0))
        ways[:, column] -= means[kind]
    at_once = max(1, _FLOATS // flat.shape[1])
    parts = np.split(np.arange(len(data)), range(at_once, len(data), at_once))
    found: NDArray[np.float64] = np.concatenate([levels(part) @ ways for part in parts])
    return found
