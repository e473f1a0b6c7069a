"""Scoring one model after another on the same data: the innermost loop of the contribution game."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learning.calls import calling, forward, new_module, per_sample, seeded
from learning.data import Data
from learning.parameters import state_views, write_views
from learning.task import Task
from protocol.parameters import Parameters

SCORE_UNIT = 1 << 20
"""A per-sample score of 1, as an integer: scores are counted in units of 2^-20."""

# Bounds the memory of activations whatever the size of the data; a batch of this size already fills the BLAS kernels.
_BATCH = 1024


@dataclass(frozen=True)
class Evaluation:
    """A model on some data. `score` in units of 2^-20, summed over all samples; `accuracy` in [0, 1] is for reports only."""

    samples: int
    score: int
    accuracy: float

    @property
    def mean_score(self) -> float:
        """The mean score per sample, in [0, 1]."""
        return self.score / (self.samples * SCORE_UNIT)


def integer_scores(task: Task, outputs: Tensor, targets: Tensor) -> NDArray[np.int64]:
    """Per-sample scores in units of 2^-20, shape (samples,), each 0 … 2^20; rounded half to even in float64.

    Raises `TaskError` if the task's score is NaN or outside [0, 1] by more than 1e-6.
    """
    with calling(task, "score"):
        scores = task.score(outputs, targets)
    exact = per_sample(task, "score", scores, len(outputs)).numpy()
    units: NDArray[np.int64] = np.rint(exact.clip(0, 1) * SCORE_UNIT).astype(np.int64)
    return units


class Evaluator:
    """A task's model set up once, to be scored with many sets of parameters on `data`.

    One evaluator serves one thread. It computes with as many torch threads as the caller has set.
    """

    def __init__(self, task: Task, data: Data) -> None:
        self.task = task
        self.data = data
        with seeded(0):  # the weights drawn here are overwritten, the caller's random state must not be touched
            self._module = new_module(task).eval()
        self._views = state_views(self._module)
        self._batches = tuple(zip(torch.split(data.features, _BATCH), torch.split(data.targets, _BATCH), strict=True))

    def scores(self, parameters: Parameters) -> NDArray[np.int64]:
        """Score of each sample in units of 2^-20, shape (len(data),), each 0 … 2^20.

        Raises `ParameterError` if the parameters are not of the task's model, `TaskError` if the task breaks its laws, for
        instance by a NaN score.
        """
        write_views(self._views, parameters)
        with torch.inference_mode():
            return np.concatenate(
                [
                    integer_scores(self.task, forward(self.task, self._module, features), targets)
                    for features, targets in self._batches
                ]
            )

    def evaluate(self, parameters: Parameters) -> Evaluation:
        """Total score and accuracy. Raises as `scores` does."""
        write_views(self._views, parameters)
        score, correct = 0, 0.0
        with torch.inference_mode():
            for features, targets in self._batches:
                outputs = forward(self.task, self._module, features)
                score += int(integer_scores(self.task, outputs, targets).sum())
                with calling(self.task, "correct"):
                    right = self.task.correct(outputs, targets)
                correct += float(per_sample(self.task, "correct", right, len(features)).sum())
        return Evaluation(len(self.data), score, correct / len(self.data))
