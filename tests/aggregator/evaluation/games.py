"""Games whose Shapley values are known from theory, as oracles for every estimator.

The selection follows Castro, Gómez and Tejada, Polynomial calculation of the Shapley value based on sampling (Computers and
Operations Research 36, 2009), as pyDVL's `valuation.games` does; each game names its own source. Values are integers of a
coalition's mask, as in a round.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf

from aggregator.evaluation.contributions.game import members

Value = Callable[[int], int]


@dataclass(frozen=True)
class Game:
    """`value` of a coalition (a mask over the players), and the Shapley value of each player."""

    name: str
    value: Value
    shapley: tuple[Fraction, ...]

    @property
    def players(self) -> int:
        return len(self.shapley)

    def __str__(self) -> str:
        return f"{self.name}-{self.players}"


def additive(worths: tuple[int, ...]) -> Game:
    """Everybody brings the same to every coalition (and the empty one is worth something, as a base model is)."""
    return Game("additive", lambda mask: 17 + sum(worths[i] for i in members(mask)), tuple(map(Fraction, worths)))


def airport(costs: tuple[int, ...]) -> Game:
    """A runway costs what its largest plane needs, and those who need a stretch share it (Littlechild and Owen, 1973)."""
    steps = sorted({0, *costs})
    shares = {
        cost: sum(
            (Fraction(high - low, sum(c >= high for c in costs)) for low, high in pairwise(steps) if high <= cost), Fraction()
        )
        for cost in costs
    }
    return Game("airport", lambda mask: max((costs[i] for i in members(mask)), default=0), tuple(shares[c] for c in costs))


def shoes(pairs: int) -> Game:
    """Left shoes (even players) are worth something only with right ones (odd players); all are alike (Castro et al.)."""
    even = sum(1 << i for i in range(0, 2 * pairs, 2))
    return Game(
        "shoes",
        lambda mask: min((mask & even).bit_count(), (mask & ~even).bit_count()),
        (Fraction(1, 2),) * (2 * pairs),
    )


def gloves() -> Game:
    """One left glove, two right ones: the scarce one takes 2/3 (Shapley and Shubik, 1969)."""
    return Game(
        "gloves",
        lambda mask: min(mask & 1, (mask >> 1).bit_count()),
        (Fraction(2, 3), Fraction(1, 6), Fraction(1, 6)),
    )


def majority(players: int) -> Game:
    """Symmetric voting: more than half wins (Castro et al.)."""
    return Game("majority", lambda mask: int(2 * mask.bit_count() > players), (Fraction(1, players),) * players)


def council() -> Game:
    """The council of the EEC in 1958: votes 4, 4, 4, 2, 2, 1 and a quota of 12, in which Luxembourg is a null player.

    Source: Shapley-Shubik indices 14/60, 9/60 and 0, as in Straffin, Game Theory and Strategy (1993).
    """
    votes = (4, 4, 4, 2, 2, 1)
    indices = (14, 14, 14, 9, 9, 0)
    return Game(
        "council",
        lambda mask: int(sum(votes[i] for i in members(mask)) >= 12),
        tuple(Fraction(index, 60) for index in indices),
    )


def spanning_tree(players: int) -> Game:
    """Connecting to the source costs n + 1, to a neighbour on the ring 1; by symmetry everybody pays 2 (Castro et al.).

    The cost of a coalition is found by Prim's algorithm, not by the formula for it.
    """

    def cost(i: int, j: int) -> float:
        if 0 in (i, j):
            return players + 1
        return 1 if abs(i - j) in (1, players - 1) else inf

    def value(mask: int) -> int:
        outside, total = {i + 1 for i in members(mask)}, 0
        connected = {0}
        while outside:
            price, nearest = min((cost(i, j), j) for i in connected for j in outside)
            connected.add(nearest)
            outside.remove(nearest)
            total += int(price)
        return total

    return Game("spanning tree", value, (Fraction(2),) * players)


def graph(players: int) -> Game:
    """A coalition owns the edges inside it; each end gets half (Deng and Papadimitriou, 1994)."""
    edges = {(i, j): (7 * i + 3 * j) % 11 - 4 for i, j in combinations(range(players), 2)}
    halves = (sum((Fraction(w, 2) for edge, w in edges.items() if i in edge), Fraction()) for i in range(players))
    return Game(
        "graph",
        lambda mask: sum(w for (i, j), w in edges.items() if mask >> i & 1 and mask >> j & 1),
        tuple(halves),
    )


KNOWN = (
    additive((3,)),
    additive((5, -2, 0, 1 << 40)),
    airport((1, 2, 2, 5, 5, 5, 9, 14, 14, 20, 21)),
    airport((1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)),
    shoes(2),
    shoes(6),
    gloves(),
    majority(7),
    majority(12),
    council(),
    spanning_tree(8),
    graph(12),
)
