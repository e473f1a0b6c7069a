"""The game of a round: what each coalition of accepted updates is worth on the evaluation shards.

U(S) is the sum over the samples of a bounded score, in units of 2^-20, of base + Σ_{i∈S} w_i · update_i with weights fixed over
all accepted nodes. U(∅) is the base model's, really evaluated.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.merge.mean import WeightedMean
from learning.errors import TaskError
from protocol.parameters import Parameters, model_hash


class Scorer(Protocol):
    """What scores a model on one shard: int64 per sample, shape (samples,), in units of 2^-20."""

    def scores(self, parameters: Parameters) -> NDArray[np.int64]:
        """Score of each sample; raises `TaskError` if the model cannot be scored."""
        ...


class Worth(NamedTuple):
    """What one coalition is worth: per shard, the score of every sample. `scorable`: whether its model has a score at all."""

    coalition: int
    per_shard: tuple[NDArray[np.int64], ...]
    scorable: bool


def members(coalition: int) -> tuple[int, ...]:
    """The players of a bit mask, ascending.

    >>> members(0b1010)
    (1, 3)
    """
    return tuple(player for player in range(coalition.bit_length()) if coalition >> player & 1)


def play(mean: WeightedMean, shards: Sequence[Scorer], coalitions: Sequence[int]) -> Iterator[Worth]:
    """The worth of each coalition, in the given order, which begins with the empty one.

    Coalitions with byte-equal models share one evaluation. A model that is not finite, or that the task cannot score (colluding
    updates made it so), is worth the least that a bounded score can be: 0. The base model must be scorable; if it is not, the
    fault is the task's, and its `TaskError` is raised.
    """
    if coalitions[0] != 0:
        raise ValueError("the empty coalition comes first")
    base = mean.of(())
    empty = tuple(shard.scores(base) for shard in shards)
    seen = {model_hash(base): Worth(0, empty, scorable=True)}
    for coalition in coalitions:
        model = mean.of(members(coalition))
        name = model_hash(model)
        if name not in seen:
            seen[name] = _worth(coalition, model, shards, empty)
        yield seen[name]._replace(coalition=coalition)


def _worth(coalition: int, model: Parameters, shards: Sequence[Scorer], like: tuple[NDArray[np.int64], ...]) -> Worth:
    if all(np.isfinite(array).all() for array in model.values()):
        try:
            return Worth(coalition, tuple(shard.scores(model) for shard in shards), scorable=True)
        except TaskError:
            pass
    return Worth(coalition, tuple(np.zeros_like(scores) for scores in like), scorable=False)
