"""The game of a round: the models of coalitions of accepted updates, scored on the evaluation shards.

U(S) is the sum over the samples of a bounded score, in units of 2^-20, of base + Σ_{i∈S} w_i · update_i with weights fixed over
all accepted nodes. U(∅) is the base model's, really evaluated, and U(N) the merged model's: to the bit by the task's module where
the evaluator is not exact, and counted on the same grids as all coalitions where it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aggregator.errors import ClusterError
from aggregator.evaluation.contributions.game import HERE, Resources, Worth, indicators
from aggregator.evaluation.contributions.reduction import active_players, alike, representative
from aggregator.evaluation.merge.mean import WeightedMean
from learning.coalitions.choice import choose_evaluator
from learning.coalitions.evaluator import CoalitionEvaluator, score_rows
from learning.coalitions.mixture import Mixture
from learning.coalitions.slopes import slopes
from learning.data import Data
from learning.errors import TaskError
from learning.evaluator import Evaluator
from learning.task import Task
from protocol.parameters import Parameters

EVALUATORS = {"one-by-one": 1, "batched": 2, "integer": 3}
"""Names of evaluators and their numbers in the evidence, never reused."""

MOST_OUTPUTS = 1 << 18
"""Outputs of a coalition over all samples up to which they are kept; of models with more, the scores are interpolated."""

_BLOCK = 256
"""Coalitions that are handed to an executor at a time, at most."""


class Block(NamedTuple):
    """Work for one call: coalitions, and whether their outputs are wanted."""

    coalitions: tuple[int, ...]
    outputs: bool


@dataclass(frozen=True)
class CoalitionWork:
    """Evaluates blocks of coalitions. It can be sent to other processes; what it prepares once per process is not sent along."""

    task: Task
    shards: tuple[Data, ...]
    base: Parameters
    updates: tuple[Parameters, ...]
    weights: tuple[int, ...]
    memory: int

    def __call__(self, block: Block) -> list[Worth]:
        """The worth of each coalition of the block, in its order."""
        shares = indicators(block.coalitions, len(self.updates))
        found = [evaluator.evaluate(shares, block.outputs) for evaluator in self.evaluators]
        scorable = np.logical_and.reduce([one.scorable for one in found])
        scores = np.concatenate([one.scores for one in found], axis=1)
        scores[~scorable] = 0
        whole = torch.cat([one.outputs for one in found if one.outputs is not None], 1) if block.outputs else None
        if whole is not None and whole[0].numel() > MOST_OUTPUTS:
            whole = None
        return [
            Worth(coalition, scores[row], None if whole is None else whole[row], bool(scorable[row]))
            for row, coalition in enumerate(block.coalitions)
        ]

    @cached_property
    def evaluators(self) -> tuple[CoalitionEvaluator, ...]:
        """One per shard."""
        given = (self.base, self.updates, self.weights, self.memory)
        return tuple(choose_evaluator(self.task, shard, *given) for shard in self.shards)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "evaluators"}


class RoundGame:
    """See the module; a `Game` whose players are the updates, in their order.

    Raises `TaskError` if the task cannot score the base model: that is its own fault, and no update's.
    """

    def __init__(
        self,
        task: Task,
        shards: Sequence[Data],
        base: Parameters,
        updates: Sequence[Parameters],
        weights: Sequence[int],
        resources: Resources = HERE,
    ) -> None:
        self.players, self.samples = len(updates), sum(len(shard) for shard in shards)
        self.shards = tuple(shards)
        self.bounds = np.cumsum([0, *(len(shard) for shard in shards)]).tolist()
        self._resources = resources
        self._work = CoalitionWork(task, self.shards, base, tuple(updates), tuple(weights), resources.memory)
        empty = Worth(0, np.concatenate([Evaluator(task, shard).scores(base) for shard in shards]))
        full = self._merged(WeightedMean(base, updates, weights).of_all()) if updates else empty
        self.scorable = full.scorable
        """Whether the merged model has a score."""
        # An exact evaluator counts base and merged model as all others; a float would differ between machines.
        exact = all(evaluator.exact for evaluator in self._work.evaluators)
        self._pinned = {worth.coalition: worth for worth in (empty, full) if not (exact and worth.scorable)}
        self.active = active_players(updates)
        """Players who bring something; the others are null players."""
        self.alike = alike(updates, weights, range(self.players))
        """Groups of players whom nothing tells apart."""
        self._of_model: dict[int, tuple[int, ...]] = {}
        self.utilities: dict[int, tuple[int, ...]] = {}
        """Of every coalition that was played, by its mask, in the order of the first time: its utility on each shard."""

    @property
    def evaluator_number(self) -> int:
        """The number, in evidence, of what evaluates the coalitions; the model decides, so it is the same on every shard."""
        return EVALUATORS[self._work.evaluators[0].name]

    @property
    def cost(self) -> int:
        """Multiplications of a dense model for one coalition: parameters times samples."""
        return sum(array.size for array in self._work.base.values()) * self.samples

    def play(self, coalitions: Sequence[int], outputs: bool = False) -> Iterator[Worth]:
        """See `Game`. Complementary coalitions that follow each other share some work."""
        needed = [one for one in coalitions if outputs or one not in self._pinned]
        found = chain.from_iterable(self._resources.executor.map(self._work, self._blocks(needed, outputs)))
        for coalition in coalitions:
            worth = self._pinned.get(coalition)
            if worth is None or outputs:
                evaluated = next(found, None)
                if evaluated is None:
                    raise ClusterError("the executor gave fewer results than it was given blocks: nothing is taken from it")
                worth = evaluated if worth is None else worth._replace(outputs=evaluated.outputs)
            utilities = tuple(int(worth.scores[start:end].sum(dtype=np.int64)) for start, end in pairwise(self.bounds))
            # One model, one utility: floats may have rounded it in two ways.
            self.utilities[coalition] = self._of_model.setdefault(representative(coalition, self.alike), utilities)
            yield worth

    def score(self, outputs: Tensor, samples: slice) -> NDArray[np.integer] | None:
        """See `Game`."""
        parts = []
        for shard, (start, end) in zip(self.shards, pairwise(self.bounds), strict=True):
            first, last = max(start, samples.start), min(end, samples.stop)
            if first < last:
                given = outputs[:, first - samples.start : last - samples.start]
                scores, scorable = score_rows(self._work.task, given, shard.targets[first - start : last - start])
                if not scorable.all():
                    return None
                parts.append(scores)
        return np.concatenate(parts, axis=1)

    def slopes(self, fraction: float, groups: int) -> NDArray[np.float64] | None:
        """See `Game`."""
        try:
            return sum(
                (slopes(self._work.task, shard, self._mixture, fraction, groups) for shard in self.shards),
                start=np.zeros((groups, self.players)),
            )
        except TaskError:
            return None

    def gram(self) -> NDArray[np.float64]:
        """See `Game`."""
        return self._mixture.gram()

    @cached_property
    def _mixture(self) -> Mixture:
        return Mixture(self._work.base, self._work.updates, self._work.weights, self._resources.memory)

    def _merged(self, model: Parameters) -> Worth:
        full = (1 << self.players) - 1
        try:
            if all(np.isfinite(array).all() for array in model.values()):
                scores = [Evaluator(self._work.task, shard).scores(model) for shard in self.shards]
                return Worth(full, np.concatenate(scores))
        except TaskError:
            pass
        return Worth(full, np.zeros(self.samples, np.int64), scorable=False)

    def _blocks(self, coalitions: Sequence[int], outputs: bool) -> Iterator[Block]:
        # Cut by what a result takes, never by who will work on it: so all executors do the same sums.
        size = max(1, min(_BLOCK // 4 if outputs else _BLOCK, self._resources.memory // (64 * self.samples)))
        return (Block(tuple(coalitions[at : at + size]), outputs) for at in range(0, len(coalitions), size))
