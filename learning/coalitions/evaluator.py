"""What every evaluator of coalitions does: shares of the updates in, the outputs and scores of all samples out."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learning.data import Data
from learning.errors import TaskError
from learning.evaluator import integer_scores
from learning.task import Task


class Evaluated(NamedTuple):
    """What came of some rows of shares.

    `scores`: int32, shape (rows, samples), 0 … 2^20. `scorable`: bool, shape (rows,); a row that is not, since its model is not
    finite or the task cannot score it, scores 0 everywhere. `outputs`: float32, (rows, samples, …), if they were asked for.
    """

    scores: NDArray[np.int32]
    scorable: NDArray[np.bool_]
    outputs: Tensor | None


class CoalitionEvaluator(Protocol):
    """Evaluates the models base + Σ s_i · w_i · update_i on the data of one shard.

    A row of shares s, shape (players,), is a coalition where it holds zeros and ones alone. Law: a row's result depends on the
    other rows of the call by rounding at most, and for an `exact` evaluator not at all, nor on the machine.
    """

    name: str
    exact: bool

    def evaluate(self, shares: NDArray[np.floating], outputs: bool = False) -> Evaluated:
        """Evaluate rows of shares, shape (rows, players). Raises `TaskError` for no row alone, see `Evaluated.scorable`."""
        ...


def score_rows(task: Task, outputs: Tensor, targets: Tensor) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Scores of `outputs`, shape (rows, samples, …), as (rows, samples), and which rows could be scored; the others are 0."""
    rows, samples = outputs.shape[:2]
    try:
        repeated = targets.repeat(rows, *[1] * (targets.ndim - 1)) if rows > 1 else targets
        scores = integer_scores(task, outputs.flatten(0, 1), repeated)
        return scores.reshape(rows, samples).astype(np.int32), np.ones(rows, np.bool_)
    except TaskError:
        if rows == 1:
            return np.zeros((1, samples), np.int32), np.zeros(1, np.bool_)
    apart = [score_rows(task, row[None], targets) for row in outputs]
    return np.concatenate([scores for scores, _ in apart]), np.concatenate([scorable for _, scorable in apart])


class Collected:
    """Puts the blocks of rows and samples of one `evaluate` call together."""

    def __init__(self, task: Task, data: Data, rows: int, keep_outputs: bool) -> None:
        self._task, self._data, self._keep = task, data, keep_outputs
        self._scores = np.zeros((rows, len(data)), np.int32)
        self._scorable = np.ones(rows, np.bool_)
        self._outputs: Tensor | None = None

    def add(self, rows: NDArray[np.intp], samples: slice, outputs: Tensor) -> None:
        """Score `outputs` of shape (rows, samples, …) and keep them if they were asked for."""
        scores, scorable = score_rows(self._task, outputs, self._data.targets[samples])
        self._scores[rows, samples] = scores
        self._scorable[rows] &= scorable
        if self._keep:
            if self._outputs is None:
                self._outputs = torch.zeros(len(self._scores), len(self._data), *outputs.shape[2:])
            self._outputs[torch.from_numpy(rows), samples] = outputs.float()

    def fail(self, rows: NDArray[np.intp]) -> None:
        """These rows have no score."""
        self._scorable[rows] = False

    def result(self) -> Evaluated:
        """All of it."""
        self._scores[~self._scorable] = 0
        return Evaluated(self._scores, self._scorable, self._outputs)


def blocks(count: int, size: int) -> list[slice]:
    """0 … count − 1 in slices of `size`.

    >>> blocks(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
