"""Published estimators, as their papers describe them; each is given a utility function and a budget of distinct coalitions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Utilities:
    """A utility function that remembers, for all estimators of a benchmark; who has evaluated what is counted by `Counted`."""

    def __init__(self, function: Callable[[Sequence[int]], Sequence[float]]) -> None:
        self._function = function
        self._known: dict[int, float] = {}

    def __call__(self, coalitions: Sequence[int]) -> list[float]:
        """U of every coalition of the list; the new ones are evaluated together, which is faster."""
        new = [one for one in dict.fromkeys(coalitions) if one not in self._known]
        if new:
            self._known.update(zip(new, self._function(new), strict=True))
        return [self._known[one] for one in coalitions]


class Counted:
    """`utilities` with a budget; `evaluations` counts distinct coalitions, the empty and the full one among them."""

    def __init__(self, utilities: Utilities, players: int, budget: int) -> None:
        self.utilities, self._budget, self.players = utilities, budget, players
        self._known: dict[int, float] = {}
        self.evaluate([0, (1 << players) - 1])
        self.empty, self.full = self._known[0], self._known[(1 << players) - 1]

    @property
    def evaluations(self) -> int:
        """Distinct coalitions so far."""
        return len(self._known)

    def evaluate(self, coalitions: Iterable[int]) -> None:
        """Look these up at once. Raises `Spent` instead of evaluating one more than the budget allows."""
        new = [one for one in dict.fromkeys(coalitions) if one not in self._known]
        if len(self._known) + len(new) > self._budget:
            raise Spent
        if new:
            self._known.update(zip(new, self.utilities(new), strict=True))

    def __call__(self, coalition: int) -> float:
        """U(S). Raises `Spent` as `evaluate` does."""
        self.evaluate((coalition,))
        return self._known[coalition]


class Spent(Exception):
    """The budget of evaluations is spent."""


class Found(NamedTuple):
    """Estimated Shapley values, and how many distinct coalitions were evaluated for them."""

    values: Vector
    evaluations: int


def permutations(utility: Counted, random: np.random.RandomState) -> Found:
    """The mean marginal over random orders (Castro, Gómez and Tejada, 2009)."""
    return _mean_marginals(utility, (random.permutation(utility.players) for _ in iter(int, 1)))


def antithetic_permutations(utility: Counted, random: np.random.RandomState) -> Found:
    """Each order is followed by its reverse (Mitchell, Cooper, Frank and Holmes, JMLR 2022)."""

    def orders() -> Iterator[NDArray[np.int64]]:
        while True:
            order = random.permutation(utility.players)
            yield order
            yield order[::-1]

    return _mean_marginals(utility, orders())


def gtg_shapley(utility: Counted, random: np.random.RandomState, threshold: float, stops: bool = False) -> Found:
    """GTG-Shapley (Liu, Chen, Yu, Liu and Cui, ACM TIST 13(4), 2022, algorithm 1; arXiv 2109.02053).

    Guided: every player in turn comes first, the others at random. Truncated: once U is within `threshold` of U(N), the rest of
    an order adds nothing; and no player gets anything if U(N) is within it of U(∅). With `stops`, by the rule of the
    implementation that the authors' later work uses (cyyever/torch_algorithm): after at least 30 orders, when the mean of the
    last ten running means is within 5 % of the last one.
    """
    players = utility.players
    if abs(utility.full - utility.empty) <= threshold:
        return Found(np.zeros(players), utility.evaluations)

    def orders() -> Iterator[NDArray[np.int64]]:
        while True:
            for first in range(players):
                others = random.permutation([player for player in range(players) if player != first])
                yield np.concatenate([[first], others])

    return _mean_marginals(utility, orders(), threshold, stops)


def _mean_marginals(utility: Counted, orders: Iterator[NDArray[np.int64]], threshold: float = 0.0, stops: bool = False) -> Found:
    players, means = utility.players, []
    total, count, used = np.zeros(players), 0, utility.evaluations
    most = 20 * (1 << min(players, 12))  # every coalition is known by then, or the budget is spent
    for order in orders:
        marginals, coalition, before = np.zeros(players), 0, utility.empty
        utility.utilities(np.bitwise_or.accumulate([1 << player for player in order.tolist()]).tolist())  # counted when used
        try:
            for player in order.tolist():
                coalition |= 1 << player
                after = before if threshold and abs(utility.full - before) < threshold else utility(coalition)
                marginals[player], before = after - before, after
        except Spent:
            break
        total, count, used = total + marginals, count + 1, utility.evaluations
        means.append(total / count)
        if count >= most or (stops and count % players == 0 and count >= max(30, players) and _settled(means)):
            break
    return Found(total / max(count, 1), used)


def _settled(means: list[Vector]) -> bool:
    last = np.array(means[-10:])
    return bool(np.max(np.mean(np.abs(last - last[-1]) / (np.abs(last[-1]) + 1e-12), axis=1)) < 0.05)


def kernel_shap(utility: Counted, random: np.random.RandomState) -> Found:
    """Paired KernelSHAP (Lundberg and Lee, NeurIPS 2017; pairs: Covert and Lee, AISTATS 2021): sizes by Shapley's kernel."""
    players, full = utility.players, (1 << utility.players) - 1
    sizes = np.arange(1, players)
    chances = 1 / (sizes * (players - sizes))
    drawn: dict[int, float] = {}
    for _ in range(50 * (1 << min(players, 12))):
        members = random.choice(players, random.choice(sizes, p=chances / chances.sum()), replace=False)
        coalition = sum(1 << int(player) for player in members)
        if utility.evaluations == 1 << players:
            break
        try:
            utility.evaluate((coalition, full ^ coalition))
        except Spent:
            break
        for one in (coalition, full ^ coalition):
            drawn[one] = drawn.get(one, 0.0) + 1
    return _fit(utility, drawn)


def leverage_shap(utility: Counted, random: np.random.RandomState, budget: int) -> Found:
    """Leverage SHAP (Musco and Witter, ICLR 2025): pairs without replacement, equally many of each size."""
    players, full = utility.players, (1 << utility.players) - 1
    half = range(1, players // 2 + 1)
    room = {size: comb(players, size) // (2 if 2 * size == players else 1) for size in half}
    count, left = dict.fromkeys(half, 0), (budget - 2) // 2
    while left > 0 and (open_ := [size for size in half if count[size] < room[size]]):
        for size in random.permutation(open_)[:left].tolist() if left < len(open_) else open_:
            added = min(max(1, left // len(open_)), room[size] - count[size])
            count[size] += added
        left = (budget - 2) // 2 - sum(count.values())
    drawn: dict[int, float] = {}
    for size in half:
        kernel = 1 / (comb(players, size) * size * (players - size))
        for one in _sets(players, size, count[size], room[size], random):
            for coalition in (one, full ^ one):
                drawn[coalition] = kernel * room[size] / count[size]
    utility.evaluate(drawn)
    return _fit(utility, drawn)


def _sets(players: int, size: int, count: int, room: int, random: np.random.RandomState) -> Iterator[int]:
    full, halved = (1 << players) - 1, 2 * size == players
    if room <= 1 << 14:
        every = [sum(1 << player for player in one) for one in combinations(range(players), size)]
        every = [one for one in every if not halved or one & 1]
        yield from (every[k] for k in random.permutation(len(every))[:count])
        return
    seen: set[int] = set()
    while len(seen) < count:
        one = sum(1 << int(player) for player in random.choice(players, size, replace=False))
        one = one ^ full if halved and not one & 1 else one
        if one not in seen:
            seen.add(one)
            yield one


def _fit(utility: Counted, weights: dict[int, float]) -> Found:
    """The weighted fit of an additive game that is efficient, by eliminating the constraint."""
    players, gain = utility.players, utility.full - utility.empty
    members = np.array([[one >> player & 1 for player in range(players)] for one in weights], np.float64)
    root = np.sqrt(np.array(list(weights.values())))[:, None]
    values = np.array([utility(one) for one in weights]) - utility.empty
    project = np.eye(players) - 1 / players
    rest = values - members @ np.full(players, gain / players)
    solution, *_ = np.linalg.lstsq(root * (members @ project), root[:, 0] * rest, rcond=1e-10)
    return Found(project @ solution + gain / players, utility.evaluations)
