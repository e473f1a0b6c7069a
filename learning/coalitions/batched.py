"""Many models at once in float32: each step of the forward pass is taken for a block of coalitions and samples together.

The output of a first Linear layer is linear in the shares, so it is mixed from what the layer makes of the base and of
every update, instead of being multiplied anew for every coalition: about a tenth of the work of a small dense model.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.func import functional_call

from learning.coalitions.convolution import convolved
from learning.coalitions.evaluator import Collected, Evaluated, blocks
from learning.coalitions.graph import ModuleGraph, call
from learning.coalitions.mixture import Mixture
from learning.data import Data
from learning.task import Task

_SAMPLES = 256
_CACHE = 4 << 20
"""Bytes of activations at a time; more falls out of the processor's cache and takes several times as long."""


class Value(NamedTuple):
    """A value of the forward pass. `stacked`: it differs between the models and has shape (rows · samples, …), row after row."""

    value: Any
    stacked: bool


class Batched:
    """Evaluates a module that could be traced. `width`: the most values that one layer has for a sample, `samples`: at a
    time, at most."""

    name = "batched"
    exact = False

    def __init__(
        self, task: Task, data: Data, mixture: Mixture, graph: ModuleGraph, width: int, memory: int, samples: int = _SAMPLES
    ) -> None:
        self._task, self._data, self._mixture, self._graph = task, data, mixture, graph
        self._mixed = graph.mixed_layers(mixture.players)
        self._names = [name for layer in graph.layers if layer not in self._mixed for name in graph.tensors(layer)]
        first = sum(mixture.base[f"{layer}.weight"].shape[0] for layer in self._mixed)
        held = 4 * max(width, (mixture.players + 1) * first)
        self._samples = max(1, min(samples, len(data), memory // (4 * held)))
        self._rows = max(1, _CACHE // (4 * width * self._samples))
        self._models = max(1, memory // (8 * max(1, sum(mixture.base[name].size for name in self._names))))
        self._keep = held * len(data) <= memory // 4
        self._kept: dict[tuple[str, int], Tensor] = {}

    def evaluate(self, shares: NDArray[np.floating], outputs: bool = False) -> Evaluated:
        """See `CoalitionEvaluator`."""
        collected = Collected(self._task, self._data, len(shares), outputs)
        with torch.inference_mode():
            for many in blocks(len(shares), self._models):
                models = self._parameters(shares[many])
                coefficients = torch.cat([torch.ones(many.stop - many.start, 1), self._coefficients(shares[many])], 1)
                chunks = list(_in_pairs(shares[many], self._rows)) if self._mixed else _plain(len(coefficients), self._rows)
                for samples in blocks(len(self._data), self._samples):
                    features = self._features(samples)
                    linear = {layer: self._linear(layer, samples) for layer in self._mixed}
                    for rows, paired in chunks:
                        block = {name: _taken(stacked, rows) for name, stacked in models.items()}
                        mixing = Mixing(coefficients[rows], paired, linear)
                        collected.add(many.start + rows, samples, self._forward(block, mixing, features))
        return collected.result()

    def _parameters(self, shares: NDArray[np.floating]) -> dict[str, Tensor]:
        return self._mixture.parameters(shares, self._names)

    def _coefficients(self, shares: NDArray[np.floating]) -> Tensor:
        return self._mixture.coefficients(shares)

    def _features(self, samples: slice) -> Tensor:
        return self._data.features[samples]

    def _forward(self, models: dict[str, Tensor], mixing: "Mixing", features: Tensor) -> Tensor:
        return Pass(self._graph, models, mixing, features).run()

    def _linear(self, layer: str, samples: slice) -> Tensor:
        """What a layer makes of the samples with the base, with each update, and with any coalition plus its complement.

        Shape (1 + players + 1, samples, …). Two complementary coalitions hold the base twice and every update once.
        """
        key = layer, samples.start
        if key in self._kept:
            return self._kept[key]
        features = self._graph.input_of(layer, self._features(samples))
        found = multiplied(features, *[self._mixture.stacked(name) for name in self._graph.tensors(layer)])
        every = 2 * found[0] + (torch.from_numpy(self._mixture.weights).float() @ found[1:].flatten(1)).view_as(found[0])
        return self._remember(key, torch.cat([found, every[None]]))

    def _remember(self, key: tuple[str, int], made: Tensor) -> Tensor:
        if self._keep:
            self._kept[key] = made
        return made


class Mixing(NamedTuple):
    """How a block of rows is mixed: the second half of them are the complements of the first if they are `paired`."""

    coefficients: Tensor
    paired: bool
    linear: dict[str, Tensor]

    def output(self, layer: str) -> Tensor:
        """A mixed layer's output for every row, shape (rows · samples, …)."""
        shape = self.linear[layer].shape[2:]
        made = self.linear[layer].flatten(1)
        if not self.paired:
            return (self.coefficients @ made[:-1]).view(-1, *shape)
        half = len(self.coefficients) // 2
        mixed = torch.empty(2 * half, made.shape[1])
        torch.mm(self.coefficients[:half], made[:-1], out=mixed[:half])
        torch.sub(made[-1], mixed[:half], out=mixed[half:])
        return mixed.view(-1, *shape)


class Pass:
    """One forward pass of a block of models over a block of samples."""

    def __init__(self, graph: ModuleGraph, models: dict[str, Tensor], mixing: Mixing, features: Tensor) -> None:
        self._graph, self._models, self._mixing, self._features = graph, models, mixing, features
        self._rows, self._samples = len(mixing.coefficients), len(features)

    def run(self) -> Tensor:
        """The outputs, (rows, samples, …)."""
        values: dict[fx.Node, Value] = {}
        for node in self._graph.nodes:
            if node.op == "output":
                (result,) = node.all_input_nodes
                break
            values[node] = self._step(node, values)
            for used in self._graph.forgotten_after(node):
                del values[used]
        found: Tensor = self._stack(values[result])
        return found.view(self._rows, self._samples, *found.shape[1:])

    def _step(self, node: fx.Node, values: dict[fx.Node, Value]) -> Value:
        if node.op == "placeholder":
            return Value(self._features, stacked=False)
        if node.op == "call_module" and self._graph.tensors(node.target):
            (given,) = node.all_input_nodes
            return Value(self._layer(str(node.target), values[given]), stacked=True)
        stacked = any(values[used].stacked for used in node.all_input_nodes)

        def given_value(used: fx.Node) -> Any:
            return self._stack(values[used]) if stacked else values[used].value

        if stacked and self._graph.is_relu(node) and self._graph.forgotten_after(node):
            return Value(given_value(node.all_input_nodes[0]).relu_(), stacked)  # nobody else needs the input: no new memory
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), given_value)
        return Value(call(node, args, kwargs, self._graph.layers), stacked)

    def _layer(self, name: str, given: Value) -> Tensor:
        layer = self._graph.layers[name]
        if name in self._mixing.linear:
            return self._mixing.output(name)
        if isinstance(layer, nn.Linear) and given.stacked:
            return self._dense(name, layer, given.value)
        names = self._graph.tensors(name)
        own = [full.removeprefix(f"{name}.") for full in names]
        apart = given.value.view(self._rows, self._samples, *given.value.shape[1:]) if given.stacked else None
        outputs: list[Tensor] = []
        for row in range(self._rows):
            tensors = {short: self._models[full][row] for short, full in zip(own, names, strict=True)}
            outputs.append(self._call(layer, tensors, given.value if apart is None else apart[row]))
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    def _call(self, layer: nn.Module, tensors: dict[str, Tensor], inputs: Tensor) -> Tensor:
        if type(layer) is nn.Conv2d and layer.padding_mode == "zeros":
            return self._convolved(layer, inputs, **tensors)
        found: Tensor = functional_call(layer, tensors, (inputs,))
        return found

    _convolved = staticmethod(convolved)

    def _dense(self, name: str, layer: nn.Linear, given: Tensor) -> Tensor:
        weight, bias = self._models[f"{name}.weight"], self._models.get(f"{name}.bias")
        inputs = given.reshape(self._rows, -1, layer.in_features).transpose(1, 2)
        # Output by output: with few outputs, as a last layer has, nearly twice as fast as sample by sample.
        found = weight @ inputs if bias is None else torch.baddbmm(bias[:, :, None], weight, inputs)
        return found.transpose(1, 2).reshape(*given.shape[:-1], -1)

    def _stack(self, given: Value) -> Any:
        """A value as stacked: what is the same for all models is repeated."""
        if given.stacked or not isinstance(given.value, Tensor) or given.value.shape[:1] != (self._samples,):
            return given.value
        return given.value.expand(self._rows, *given.value.shape).flatten(0, 1)


def _taken(stacked: Tensor, rows: NDArray[np.intp]) -> Tensor:
    """These rows, without a copy where they follow each other."""
    first, last = int(rows[0]), int(rows[-1])
    return stacked[first : last + 1] if np.array_equal(rows, np.arange(first, last + 1)) else stacked[rows]


def multiplied(features: Tensor, weights: Tensor, biases: Tensor | None = None) -> Tensor:
    """What many Linear layers make of the same features, (samples, …, inputs): shape (layers, samples, …, outputs)."""
    found = features.flatten(0, -2) @ weights.transpose(1, 2)
    found = found if biases is None else found + biases[:, None]
    return found.view(len(weights), *features.shape[:-1], -1)


Chunk = tuple[NDArray[np.intp], bool]


def _plain(count: int, size: int) -> list[Chunk]:
    return [(np.arange(block.start, block.stop), False) for block in blocks(count, size)]


def _in_pairs(shares: NDArray[np.floating], size: int) -> Iterator[Chunk]:
    """Rows in chunks of at most `size`, complements (s and 1 − s) together: half a chunk and, in the same order, its complements.

    >>> [(rows.tolist(), paired) for rows, paired in _in_pairs(np.array([[0, 1], [1, 1], [0, 0], [1, 1]]), 4)]
    [([1, 2], True), ([0, 3], False)]
    """
    waiting: dict[bytes, int] = {}
    pairs: list[tuple[int, int]] = []
    for row, one in enumerate(shares):
        other = waiting.pop((1 - one).tobytes(), None)
        if other is None:
            waiting.setdefault(one.tobytes(), row)
        else:
            pairs.append((other, row))
    half = max(1, size // 2)
    for start in range(0, len(pairs), half):
        first, second = zip(*pairs[start : start + half], strict=True)
        yield np.array(first + second), True
    alone = sorted(set(range(len(shares))).difference(*pairs))
    for block in blocks(len(alone), size):
        yield np.array(alone[block]), False
