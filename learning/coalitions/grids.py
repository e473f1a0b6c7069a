"""How finely each layer of a model is counted, so that every sum of the integer evaluator stays exact.

A float64 holds every integer up to 2^53. Inputs, weights and activations are integers on grids of 2^-bits; the bounds below hold
for every coalition at once, since a coalition's weight is at most |base| + Σ |w_i · update_i|.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from learning.coalitions.graph import ModuleGraph
from learning.coalitions.mixture import Mixture

EXACT_FLOAT64 = float(1 << 52)
"""Half of what is exact, so that the bound itself need not be."""

EXACT_FLOAT32 = float(1 << 23)
ACTIVATION_BITS = 16
_WEIGHT_BITS, _FEWEST_WEIGHT_BITS = 22, 12
_INPUT_BITS = 12
_LARGEST = 1 << 25
"""Numbers of base and updates together that are kept as integers; larger models are evaluated in float32."""

_MODULES = (nn.ReLU, nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.MaxPool2d)
_FUNCTIONS = (torch.relu, torch.flatten, functional.relu, functional.max_pool2d)
_METHODS = ("relu", "view", "reshape", "flatten", "unflatten")


class LayerGrid(NamedTuple):
    """Bits after the point of a layer's inputs, weights and outputs."""

    inputs: int
    weights: int
    outputs: int

    @property
    def shift(self) -> int:
        """Bits that the layer's sums have too many."""
        return self.inputs + self.weights - self.outputs


@dataclass(frozen=True)
class Grids:
    """The grids of a whole model. `tensors`: each of its tensors as integers, base first and then every weighted update, float64
    of shape (1 + players, *its shape)."""

    inputs: int
    layers: Mapping[str, LayerGrid]
    tensors: Mapping[str, Tensor]
    last: str


def input_bits(features: Tensor) -> int:
    """The fewest bits that hold the features exactly, or as many as they are rounded to."""
    for bits in range(_INPUT_BITS):
        scaled = features.double() * 2.0**bits
        if torch.equal(scaled, scaled.round()):
            return bits
    return _INPUT_BITS


def plan(graph: ModuleGraph, mixture: Mixture, features: Tensor) -> Grids | None:
    """Grids for a chain of Linear and Conv2d layers with ReLU and pooling between them; None for any other model, or if it
    would take more than 2^53 even on the coarsest grid."""
    if not _is_chain(graph) or mixture.size * (1 + mixture.players) > _LARGEST:
        return None
    bits = inputs = input_bits(features)
    bound = float((features.double().abs() * 2.0**inputs).round().max())
    grids: dict[str, LayerGrid] = {}
    tensors: dict[str, Tensor] = {}
    for name in (str(node.target) for node in graph.nodes if node.op == "call_module" and graph.tensors(node.target)):
        for weight_bits in range(_WEIGHT_BITS, _FEWEST_WEIGHT_BITS - 1, -1):
            made = _integers(mixture, graph.tensors(name), bits, weight_bits)
            reached = _reached(made, bound)
            if reached < EXACT_FLOAT64:
                break
        else:
            return None
        grids[name] = LayerGrid(bits, weight_bits, ACTIVATION_BITS)
        tensors |= made
        bits, bound = ACTIVATION_BITS, float(np.ceil(reached * 2.0 ** -grids[name].shift)) + 1 + mixture.players
    return Grids(inputs, grids, tensors, last=list(grids)[-1]) if grids else None


def _integers(mixture: Mixture, names: list[str], inputs: int, weights: int) -> dict[str, Tensor]:
    made = {}
    for name in names:
        # A bias is added to sums of inputs times weights, so it is on the grid of those.
        scale = 2.0 ** (weights + (inputs if name.endswith("bias") else 0))
        rows = [mixture.base[name].astype(np.float64) * scale]
        rows += [
            update[name].astype(np.float64) * weight * scale
            for weight, update in zip(mixture.weights, mixture.updates, strict=True)
        ]
        made[name] = torch.from_numpy(np.rint(np.stack(rows)))
    return made


def _reached(tensors: Mapping[str, Tensor], bound: float) -> float:
    """The largest sum that any coalition's layer can reach with inputs up to `bound`."""
    total = torch.zeros(1, dtype=torch.float64)
    for name, integers in tensors.items():
        largest = integers.abs().sum(0).flatten(1) if integers.ndim > 2 else integers.abs().sum(0)[:, None]
        total = total + largest.sum(1) * (1.0 if name.endswith("bias") else bound)
    return float(total.max())


def _is_chain(graph: ModuleGraph) -> bool:
    """Whether each operation takes what the one before it made, and all are ones that integers go through unharmed."""
    before: fx.Node | None = None
    for node in graph.nodes:
        if before is not None and node.all_input_nodes != [before]:
            return False
        if node.op == "call_module":
            layer = graph.layers[str(node.target)]
            plain = isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros"
            if not (plain or type(layer) is nn.Linear or isinstance(layer, _MODULES)):
                return False
        elif not (
            (node.op == "call_function" and node.target in _FUNCTIONS)
            or (node.op == "call_method" and node.target in _METHODS)
            or node.op in ("placeholder", "output")
        ):
            return False
        before = node
    calls = [node.target for node in graph.nodes if node.op == "call_module" and graph.tensors(node.target)]
    return len(set(calls)) == len(calls)
