"""Exact Shapley values: every coalition is evaluated."""

from collections.abc import Iterable
from math import comb, lcm

Marginals = Iterable[tuple[int, int, int]]
"""(player, coalition without it, integer weight of the marginal U(S ∪ {i}) − U(S))."""


def enumerate_all(players: int) -> tuple[tuple[int, ...], Marginals, int]:
    """All 2^n coalitions, the weighted marginals, and the denominator lcm(1 … n).

    φ_i = Σ_S (U(S ∪ {i}) − U(S)) / (n · C(n − 1, |S|)), and n · C(n − 1, s) divides lcm(1 … n) for every s
    (Farhi, An identity involving the least common multiple of binomial coefficients, 2009), so that all weights are integers.
    """
    denominator = lcm(*range(1, players + 1))
    weights = [denominator // (players * comb(players - 1, size)) for size in range(players)]
    marginals = (
        (player, coalition, weights[coalition.bit_count()])
        for player in range(players)
        for coalition in range(1 << players)
        if not coalition >> player & 1
    )
    return tuple(range(1 << players)), marginals, denominator
