"""Designs: which coalitions to evaluate when not all can be, drawn from the round's seed.

Coalitions come in pairs of complements, equally many of every size, without replacement. Sizes 1 and n − 1 come first and whole.
Source: Musco and Witter, Provably accurate Shapley value estimation via leverage score sampling (ICLR 2025).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

from aggregator.evaluation.randomness import permutation, words


@dataclass(frozen=True)
class PairedDesign:
    """Pairs (S, N \\ S), |S| ≤ n / 2, by ascending size.

    `pairs`: the smaller one of each, as a bit mask; `weights`: what each coalition of a pair counts in the regression, Shapley's
    kernel 1 / (C(n, s) · s · (n − s)) times the number of pairs of its size that it stands for.
    """

    players: int
    pairs: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def coalitions(self) -> tuple[int, ...]:
        """Every coalition: each pair's S, then its complement."""
        full = (1 << self.players) - 1
        return tuple(one for pair in self.pairs for one in (pair, full ^ pair))


def paired_design(players: int, pairs: int, seed: bytes, purpose: str) -> PairedDesign:
    """A design of `pairs` pairs for at least 2 players, or of all the pairs there are if those are fewer."""
    sizes = range(1, players // 2 + 1)
    counts = _allocated(players, pairs)
    chosen: list[int] = []
    weights: list[float] = []
    for size, count in zip(sizes, counts, strict=True):
        drawn = _draw(players, size, count, words(seed, f"{purpose} of size {size}"))
        chosen += drawn
        kernel = 1 / (comb(players, size) * size * (players - size))
        weights += [kernel * available(players, size) / count for _ in drawn]
    return PairedDesign(players, tuple(chosen), tuple(weights))


def available(players: int, size: int) -> int:
    """How many pairs of complements there are with a smaller one of this size."""
    return comb(players, size) // 2 if 2 * size == players else comb(players, size)


def _allocated(players: int, pairs: int) -> list[int]:
    """Pairs of each size 1 … n / 2: all of size 1, the others in equal parts as far as there are so many, small sizes first."""
    room = [available(players, size) for size in range(1, players // 2 + 1)]
    counts = [min(room[0], pairs)] + [0] * (len(room) - 1)
    left = pairs - counts[0]
    while left and (open_ := [k for k, count in enumerate(counts) if count < room[k]]):
        part, extra = divmod(left, len(open_))
        for position, k in enumerate(open_):
            added = min(part + (position < extra), room[k] - counts[k])
            counts[k] += added
            left -= added
    return counts


def _draw(players: int, size: int, count: int, stream: Iterator[int]) -> list[int]:
    if not count:
        return []
    full, halved = (1 << players) - 1, 2 * size == players
    if 4 * count >= (room := available(players, size)) and room <= 1 << 16:
        every = [sum(1 << player for player in one) for one in combinations(range(players), size)]
        every = [one for one in every if not halved or one & 1]
        return [every[position] for position in permutation(stream, len(every))[:count]]
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        one = sum(1 << player for player in permutation(stream, players)[:size])
        drawn[one ^ full if halved and not one & 1 else one] = None
    return list(drawn)
