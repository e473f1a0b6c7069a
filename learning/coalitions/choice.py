"""Which evaluator a model gets."""

from collections.abc import Sequence

import numpy as np

from learning.calls import new_module, seeded
from learning.coalitions.batched import Batched
from learning.coalitions.evaluator import CoalitionEvaluator
from learning.coalitions.graph import ModuleGraph, trace
from learning.coalitions.grids import plan
from learning.coalitions.integer import Integer
from learning.coalitions.mixture import Mixture
from learning.coalitions.onebyone import OneByOne
from learning.data import Data
from learning.scores import EXACT_SCORES
from learning.task import Task
from protocol.parameters import Parameters

_SAFE = 1e30
_FEW = 7
_AGREEMENT = 1e-3
_COARSE = 0.02


def choose_evaluator(
    task: Task, data: Data, base: Parameters, updates: Sequence[Parameters], weights: Sequence[int], memory: int
) -> CoalitionEvaluator:
    """The fastest evaluator that is right for the task's model, decided by its structure and never by the clock.

    `memory` in bytes bounds each of: what is held of the updates, of models and of activations at a time.
    """
    mixture = Mixture(base, updates, weights, memory)
    slow = OneByOne(task, data, mixture, memory)
    # What is mixed before the sum over inputs is taken must not overflow where the model itself would not.
    if not mixture.magnitude() < _SAFE:
        return slow
    with seeded(0):
        module = new_module(task).eval()
    graph = trace(module, base.keys())
    if graph is None or not mixture.players:
        return slow
    few = data.take(np.arange(min(len(data), _FEW)))
    if task.score in EXACT_SCORES and (exact := _integer(task, data, mixture, graph, memory)) is not None:
        return exact
    try:
        fast = Batched(task, data, mixture, graph, graph.width(few.features), memory)
        trial = Batched(task, few, mixture, graph, 1, memory)
        return fast if _agree(trial, OneByOne(task, few, mixture, memory), mixture.players) else slow
    except Exception:  # a module that takes no stacked values is none for the fast evaluator
        return slow


def _integer(task: Task, data: Data, mixture: Mixture, graph: ModuleGraph, memory: int) -> CoalitionEvaluator | None:
    """The integer evaluator, if it can be used and means the same model: quantised outputs are near the real ones."""
    few = data.take(np.arange(min(len(data), _FEW)))
    try:
        if (grids := plan(graph, mixture, data.features)) is None:
            return None
        widest = graph.width(few.features)
        found = Integer(task, data, mixture, graph, widest, memory, grids)
        trial = Integer(task, few, mixture, graph, widest, memory, grids)
    except (OverflowError, RuntimeError, TypeError):
        return None
    slow = OneByOne(task, few, mixture, memory)
    return found if _agree(trial, slow, mixture.players, _COARSE) else None


def _agree(fast: CoalitionEvaluator, slow: CoalitionEvaluator, players: int, within: float = _AGREEMENT) -> bool:
    """Whether both put out the same, up to rounding, for the base, the full coalition and one in between."""
    shares = np.stack([np.zeros(players), np.arange(players) % 2, np.ones(players)]).astype(np.float64)
    one, other = fast.evaluate(shares, outputs=True), slow.evaluate(shares, outputs=True)
    if one.outputs is None or other.outputs is None or one.outputs.shape != other.outputs.shape:
        return False
    scale = float(other.outputs.abs().max()) or 1.0
    return bool(((one.outputs - other.outputs).abs() <= within * scale).all())
