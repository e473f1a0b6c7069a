"""Many models at once in integers: the same scores on every machine, whatever its BLAS, threads or block sizes.

Inputs, weights and activations are integers on fixed grids, held in floats that are wide enough for every sum of products, so
that no sum is ever rounded and its order does not matter. A hidden activation is rounded down to its grid after each layer; what
a first Linear layer makes of the base and of each update is rounded before it is mixed, so that mixing needs 24 bits alone.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learning.coalitions.batched import Batched, Mixing, Pass, Value, multiplied
from learning.coalitions.convolution import convolved_exactly
from learning.coalitions.evaluator import Evaluated
from learning.coalitions.graph import ModuleGraph
from learning.coalitions.grids import EXACT_FLOAT32, Grids, LayerGrid
from learning.coalitions.mixture import Mixture
from learning.data import Data
from learning.task import Task

_SAMPLES = 64


class Integer(Batched):
    """Evaluates a model that has `Grids`. Exact if the task is paid on one of `learning.scores.EXACT_SCORES`.

    Raises `OverflowError` where the outputs of a mixed layer do not fit 24 bits on a grid of 2^-8.
    """

    name = "integer"
    exact = True

    def __init__(
        self, task: Task, data: Data, mixture: Mixture, graph: ModuleGraph, width: int, memory: int, grids: Grids
    ) -> None:
        # Floats of twice the size, and the patches of a convolution beside them.
        super().__init__(task, data, mixture, graph, 4 * width, memory, _SAMPLES)
        self._grids = grids
        self._layers = dict(grids.layers)
        for layer in self._mixed:
            self._layers[layer] = self._fitting(layer)
        self._kept.clear()

    def evaluate(self, shares: NDArray[np.floating], outputs: bool = False) -> Evaluated:
        """See `CoalitionEvaluator`. Raises `ValueError` unless all shares are 0 or 1."""
        if not np.isin(shares, (0, 1)).all():
            raise ValueError("integers are mixed whole: a share is 0 or 1")
        return super().evaluate(shares, outputs)

    def _parameters(self, shares: NDArray[np.floating]) -> dict[str, Tensor]:
        with_base = torch.cat([torch.ones(len(shares), 1, dtype=torch.float64), torch.from_numpy(shares.astype(np.float64))], 1)
        found = {}
        for name in self._names:
            integers = self._grids.tensors[name]
            found[name] = (with_base @ integers.flatten(1)).view(len(shares), *integers.shape[1:])
        return found

    def _coefficients(self, shares: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(shares.astype(np.float32))

    def _forward(self, models: dict[str, Tensor], mixing: Mixing, features: Tensor) -> Tensor:
        outputs = _IntegerPass(self._graph, models, mixing, features, self._layers).run()
        grid = self._layers[self._grids.last]
        bits = grid.outputs if self._grids.last in self._mixed else grid.inputs + grid.weights
        return outputs.double() * 2.0**-bits

    def _features(self, samples: slice) -> Tensor:
        return (self._data.features[samples].double() * 2.0**self._grids.inputs).round()

    def _linear(self, layer: str, samples: slice) -> Tensor:
        key = layer, samples.start
        if key in self._kept:
            return self._kept[key]
        integers = [self._grids.tensors[name] for name in self._graph.tensors(layer)]
        made = multiplied(self._graph.input_of(layer, self._features(samples)), *integers)
        made.mul_(2.0 ** -self._layers[layer].shift).floor_()
        every = 2 * made[0] + made[1:].sum(0)
        return self._remember(key, torch.cat([made, every[None]]).float())

    def _fitting(self, layer: str) -> LayerGrid:
        """The finest grid on which every sum of what the layer makes of base and updates is exact in float32."""
        grid = self._layers[layer]
        while grid.outputs >= 8:
            self._layers[layer] = grid
            step = self._samples
            pieces = (slice(at, min(at + step, len(self._data))) for at in range(0, len(self._data), step))
            largest = max(float((self._linear(layer, piece)[:-1].abs().sum(0)).max()) for piece in pieces)
            if 2 * largest < EXACT_FLOAT32:
                return grid
            self._kept.clear()
            grid = grid._replace(outputs=grid.outputs - 1)
        raise OverflowError(f"layer {layer} puts out more than 24 bits")


class _IntegerPass(Pass):
    """A forward pass in integers; the last layer's sums come out whole."""

    def __init__(
        self, graph: ModuleGraph, models: dict[str, Tensor], mixing: Mixing, features: Tensor, layers: dict[str, LayerGrid]
    ) -> None:
        super().__init__(graph, models, mixing, features)
        self._layers = layers
        self._last = list(layers)[-1]

    def _layer(self, name: str, given: Value) -> Tensor:
        if name in self._mixing.linear:
            return super()._layer(name, given)
        sums = super()._layer(name, Value(given.value.double(), given.stacked))
        return sums if name == self._last else sums.mul_(2.0 ** -self._layers[name].shift).floor_()

    _convolved = staticmethod(convolved_exactly)
