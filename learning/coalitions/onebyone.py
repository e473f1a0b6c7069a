"""One model after another, through the module itself: works for whatever the module does."""

import numpy as np
import torch
from numpy.typing import NDArray

from learning.calls import forward, new_module, seeded
from learning.coalitions.evaluator import Collected, Evaluated, blocks
from learning.coalitions.mixture import Mixture
from learning.data import Data
from learning.errors import TaskError
from learning.parameters import state_views, write_views
from learning.task import Task

_SAMPLES = 256
"""Samples at a time: their activations stay in the processor's cache, three to four times faster than thousands at once."""


class OneByOne:
    """Loads each coalition's parameters into the task's module. Parameters are mixed for many rows at once within `memory`."""

    name = "one-by-one"
    exact = False

    def __init__(self, task: Task, data: Data, mixture: Mixture, memory: int) -> None:
        self._task, self._data, self._mixture = task, data, mixture
        with seeded(0):  # the weights drawn here are overwritten
            self._module = new_module(task).eval()
        self._views = state_views(self._module)
        self._rows = max(1, memory // (8 * max(1, mixture.size)))

    def evaluate(self, shares: NDArray[np.floating], outputs: bool = False) -> Evaluated:
        """See `CoalitionEvaluator`."""
        collected = Collected(self._task, self._data, len(shares), outputs)
        with torch.inference_mode():
            for rows in blocks(len(shares), self._rows):
                models = self._mixture.parameters(shares[rows])
                for k in range(rows.stop - rows.start):
                    one = np.array([rows.start + k])
                    self._evaluate({name: stacked[k].numpy() for name, stacked in models.items()}, one, collected)
        return collected.result()

    def _evaluate(self, model: dict[str, NDArray[np.float32]], row: NDArray[np.intp], collected: Collected) -> None:
        if not all(np.isfinite(array).all() for array in model.values()):
            return collected.fail(row)
        write_views(self._views, model)
        try:
            for samples in blocks(len(self._data), _SAMPLES):
                found = forward(self._task, self._module, self._data.features[samples])
                collected.add(row, samples, found[None])
        except TaskError:
            collected.fail(row)
        return None
