"""The forward pass of a module as a graph of operations, so that many models can take each step together.

Source: torch.fx (Reed et al., MLSys 2022).
"""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

# A Linear layer costs its inputs per output, mixing what it makes of every update costs the players per output.
_MIXING_GAIN = 2


class ModuleGraph:
    """A module that `trace` took apart. Every tensor of its state belongs to a layer that is called as one operation.

    `layers` by the name that the graph calls them by, which is also the prefix of their tensors' names.
    """

    def __init__(self, graph: fx.Graph, layers: Mapping[str, nn.Module], state: Container[str]) -> None:
        self.nodes = tuple(graph.nodes)
        self.layers = layers
        self._last_use = {used: node for node in self.nodes for used in node.all_input_nodes}
        self._tensors = {
            name: [full for tensor in layer.state_dict() if (full := f"{name}.{tensor}") in state]
            for name, layer in layers.items()
        }

    def tensors(self, layer: Any) -> list[str]:
        """Names of a layer's tensors within the model, in its own order."""
        return self._tensors[str(layer)]

    def forgotten_after(self, node: fx.Node) -> list[fx.Node]:
        """The values that nobody needs after this operation."""
        return [used for used in node.all_input_nodes if self._last_use[used] is node]

    def is_relu(self, node: fx.Node) -> bool:
        """Whether the operation is a ReLU, by whichever of its names."""
        if node.op == "call_module":
            return isinstance(self.layers[str(node.target)], nn.ReLU)
        return node.target in (torch.relu, functional.relu, "relu", "relu_") and len(node.all_input_nodes) == 1

    def mixed_layers(self, players: int) -> frozenset[str]:
        """The Linear layers whose input is the same for all models and which are cheaper mixed than multiplied anew.

        What they put out is linear in the shares: layer(base) + Σ s_i · w_i · layer(update_i).
        """
        shared = self._shared()
        return frozenset(
            str(node.target)
            for node in self.nodes
            if node.op == "call_module"
            and isinstance(layer := self.layers[str(node.target)], nn.Linear)
            and layer.in_features > _MIXING_GAIN * players
            and set(node.all_input_nodes) <= shared
        )

    def input_of(self, layer: str, features: Tensor) -> Tensor:
        """The input of a layer that is the same for all models."""
        values: dict[fx.Node, Any] = {}
        for node in self.nodes:
            if node.op == "call_module" and node.target == layer:
                found = values[node.all_input_nodes[0]]
                assert isinstance(found, Tensor)
                return found
            if node.op == "placeholder":
                values[node] = features
            elif node in self._shared():
                args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
                values[node] = call(node, args, kwargs, self.layers)
        raise KeyError(layer)

    @torch.inference_mode()
    def width(self, features: Tensor) -> int:
        """The most values per sample that one operation makes which differ between models."""
        values: dict[fx.Node, Any] = {}
        shared, widest = self._shared(), 1
        for node in self.nodes:
            if node.op == "output":
                break
            if node.op == "placeholder":
                values[node] = features
                continue
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
            made = values[node] = call(node, args, kwargs, self.layers)
            if isinstance(made, Tensor) and node not in shared:
                widest = max(widest, made.numel() // max(1, len(features)))
        return widest

    def _shared(self) -> set[fx.Node]:
        shared: set[fx.Node] = set()
        for node in self.nodes:
            has_state = node.op == "call_module" and bool(self.tensors(node.target))
            if not has_state and node.op != "output" and set(node.all_input_nodes) <= shared:
                shared.add(node)
        return shared


class _Tracer(fx.Tracer):
    """Takes a module apart into torch's own layers and those that hold tensors themselves."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = [*m.parameters(recurse=False), *m.buffers(recurse=False)]
        return bool(own) or super().is_leaf_module(m, module_qualified_name)


def trace(module: nn.Module, names: Collection[str]) -> ModuleGraph | None:
    """The graph of a module whose state has these names, or None if it cannot be taken apart.

    It cannot if its forward pass branches on values, uses a tensor of the state outside a layer, takes anything but one input,
    returns anything but one value, calls a layer with state on anything but one value, or ties two names to one tensor.
    """
    try:
        traced = _Tracer().trace(module)
    except Exception:  # whatever a forward pass does with a stand-in for its input
        return None
    state = {name: tensor for name, tensor in module.state_dict(keep_vars=True).items() if name in names}
    nodes = traced.nodes
    layers = {str(node.target): module.get_submodule(str(node.target)) for node in nodes if node.op == "call_module"}
    graph = ModuleGraph(traced, layers, names)
    covered = [name for layer in layers for name in graph.tensors(layer)]
    with_state = [node for node in nodes if node.op == "call_module" and graph.tensors(node.target)]
    ends = [node for node in nodes if node.op == "output"]
    plain = (
        sum(node.op == "placeholder" for node in nodes) == 1
        and not any(node.op == "get_attr" for node in nodes)
        and all(len(node.all_input_nodes) == 1 and isinstance(node.args[0], fx.Node) for node in (*with_state, *ends))
        and len({id(tensor) for tensor in state.values()}) == len(state)
        and sorted(covered) == sorted(names)
    )
    return graph if plain else None


def call(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], layers: Mapping[str, nn.Module]) -> Any:
    """Carry out one operation of a graph on these arguments."""
    if node.op == "call_module":
        return layers[str(node.target)](*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)
