"""The game that contributions are the Shapley values of: what every coalition of players is worth, sample by sample."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_Block = TypeVar("_Block")
_Result = TypeVar("_Result")


class Worth(NamedTuple):
    """What one coalition, a bit mask over the players, is worth.

    `scores`: integers, shape (samples,), in units of 2^-20; their sum is the coalition's utility. `outputs`: what the scores were
    computed from, float32, shape (samples, …), where it was asked for and the game has such. `scorable`: whether there is a score
    at all; a coalition that has none scores 0.
    """

    coalition: int
    scores: NDArray[np.integer]
    outputs: Tensor | None = None
    scorable: bool = True

    @property
    def utility(self) -> int:
        """U of the coalition."""
        return int(self.scores.sum(dtype=np.int64))


class Game(Protocol):
    """A cooperative game whose utilities are sums over `samples`.

    Laws: `play` gives the worth of each coalition in the order asked for, and of the same coalition the same one.
    """

    players: int
    samples: int

    def play(self, coalitions: Sequence[int], outputs: bool = False) -> Iterator[Worth]:
        """Evaluate coalitions, with the outputs behind their scores where asked for and where the game has such."""
        ...

    def score(self, outputs: Tensor, samples: slice) -> NDArray[np.integer] | None:
        """Scores (rows, samples) of these samples' outputs (rows, samples, …), interpolated ones; None if one has no score."""
        ...

    def slopes(self, fraction: float, groups: int) -> NDArray[np.float64] | None:
        """How U changes with each player's part where all take part by this fraction, (groups of samples, players); None if U
        is no differentiable function of the parts."""
        ...

    def gram(self) -> NDArray[np.float64]:
        """Inner products of what the players bring, shape (players, players): how alike two of them are."""
        ...


class Executor(Protocol):
    """Runs the evaluation of coalitions, here or on other machines. The builtin `map` does, as `InProcess`."""

    def map(self, function: Callable[[_Block], _Result], blocks: Iterable[_Block]) -> Iterator[_Result]:
        """`function` of each block, in the order of the blocks, as `concurrent.futures.Executor.map` gives it.

        `function` can be pickled and is deterministic, so that a lost block may be run again. Raises whatever it raises, and an
        error of its own if the work cannot be finished: never a result left out.
        """
        ...


class InProcess:
    """The executor that runs everything in this process, block after block."""

    def map(self, function: Callable[[_Block], _Result], blocks: Iterable[_Block]) -> Iterator[_Result]:
        """See `Executor`."""
        return map(function, blocks)


@dataclass(frozen=True)
class Resources:
    """What this machine gives to an evaluation; nothing that is decided or published depends on it beyond rounding.

    `memory` in bytes bounds each of what is held of updates, models, activations and results at a time.
    """

    executor: Executor
    memory: int = 1 << 29


HERE = Resources(InProcess())
"""This process alone, with the memory that any machine has."""


def members(coalition: int) -> tuple[int, ...]:
    """The players of a bit mask, ascending.

    >>> members(0b1010)
    (1, 3)
    """
    return tuple(player for player in range(coalition.bit_length()) if coalition >> player & 1)


def indicators(coalitions: Sequence[int], players: int) -> NDArray[np.float64]:
    """Who is in: shape (coalitions, players), 1 for members and 0 for others.

    >>> indicators([0, 0b101], 3).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]
    """
    width = max(1, (players + 7) // 8)
    packed = np.frombuffer(b"".join(coalition.to_bytes(width, "little") for coalition in coalitions), np.uint8)
    bits = np.unpackbits(packed.reshape(len(coalitions), width), axis=1, bitorder="little")
    return bits[:, :players].astype(np.float64)
