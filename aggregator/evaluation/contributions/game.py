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
    """What one coalition is worth: per shard, the score of every sample."""

    coalition: int
    per_shard: tuple[NDArray[np.int64], ...]


def members(coalition: int) -> tuple[int, ...]:
    """The players of a bit mask, ascending.

    >>> members(0b1010)
    (1, 3)
    """
    return tuple(player for player in range(coalition.bit_length()) if coalition >> player & 1)


def play(mean: WeightedMean, shards: Sequence[Scorer], coalitions: Sequence[int]) -> Iterator[Worth]:
    """The worth of each coalition, in the given order, which begins with the empty one.

    Coalitions with byte-equal models share one evaluation. The model of a coalition that cannot be scored (NaN, because
    colluding updates made it so) is worth the least that a bounded score can be: 0. The base model must be scorable; if it is
    not, the fault is the task's, and its `TaskError` is raised.
    """
    if coalitions[0] != 0:
        raise ValueError("the empty coalition comes first")
    base = mean.of(())
    empty = tuple(shard.scores(base) for shard in shards)
    seen = {model_hash(base): empty}
    for coalition in coalitions:
        model = mean.of(members(coalition))
        name = model_hash(model)
        if name not in seen:
            seen[name] = tuple(
                _scores(shard, model, worst) for shard, worst in zip(shards, map(np.zeros_like, empty), strict=True)
            )
        yield Worth(coalition, seen[name])


def _scores(shard: Scorer, model: Parameters, worst: NDArray[np.int64]) -> NDArray[np.int64]:
    try:
        return shard.scores(model)
    except TaskError:
        return worst
