"""The same game with fewer players: who brings nothing is left out, whom nothing tells apart is paid alike.

Both follow from Shapley's axioms, so an estimator need not find them out: leaving null players out changes nobody's value, and
symmetric players have the same one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aggregator.evaluation.contributions.game import Game, Worth, members
from protocol.parameters import Parameters, model_hash


class Reduced:
    """A game among some `active` players (ascending) of another one, whose other players are null.

    Its full coalition is the whole game's, the null players among it.
    """

    def __init__(self, whole: Game, active: Sequence[int]) -> None:
        self._whole, self._active = whole, tuple(active)
        self.players, self.samples = len(self._active), whole.samples

    def play(self, coalitions: Sequence[int], outputs: bool = False) -> Iterator[Worth]:
        """See `Game`."""
        found = self._whole.play([self.in_whole(one) for one in coalitions], outputs)
        return (worth._replace(coalition=one) for one, worth in zip(coalitions, found, strict=True))

    def score(self, outputs: Tensor, samples: slice) -> NDArray[np.integer] | None:
        """See `Game`."""
        return self._whole.score(outputs, samples)

    def slopes(self, fraction: float, groups: int) -> NDArray[np.float64] | None:
        """See `Game`."""
        found = self._whole.slopes(fraction, groups)
        return None if found is None else found[:, self._active]

    def gram(self) -> NDArray[np.float64]:
        """See `Game`."""
        return self._whole.gram()[np.ix_(self._active, self._active)]

    def in_whole(self, coalition: int) -> int:
        """The same coalition as a mask over the players of the whole game."""
        if self.players and coalition == (1 << self.players) - 1:
            return (1 << self._whole.players) - 1
        return sum(1 << self._active[player] for player in members(coalition))


def active_players(updates: Sequence[Parameters]) -> tuple[int, ...]:
    """The players whose update is not all zeros."""
    return tuple(player for player, update in enumerate(updates) if any(np.any(array) for array in update.values()))


def alike(updates: Sequence[Parameters], weights: Sequence[int], among: Sequence[int]) -> list[list[int]]:
    """Groups of players with byte-equal updates and equal weights, as positions in `among`; single ones are left out."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for position, player in enumerate(among):
        groups.setdefault((weights[player], model_hash(updates[player])), []).append(position)
    return [group for group in groups.values() if len(group) > 1]


def representative(coalition: int, groups: Sequence[Sequence[int]]) -> int:
    """The coalition with the same model in which the first players of each group of alike ones stand for the others.

    >>> bin(representative(0b1010, [[0, 1, 3]]))
    '0b11'
    """
    for group in groups:
        inside = sum(coalition >> player & 1 for player in group)
        for rank, player in enumerate(group):
            coalition = coalition | 1 << player if rank < inside else coalition & ~(1 << player)
    return coalition


def shared_out(values: Sequence[int], groups: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Each group's values replaced by their mean; the units that do not divide go to its first players.

    >>> shared_out([5, 8, 1], [[0, 1]])
    (7, 6, 1)
    """
    even = list(values)
    for group in groups:
        part, left = divmod(sum(values[position] for position in group), len(group))
        for rank, position in enumerate(group):
            even[position] = part + (rank < left)
    return tuple(even)
