"""Estimated Shapley values for many players: antithetic pairs of random permutations.

Source: Mitchell, Cooper, Frank and Holmes, Sampling permutations for Shapley value estimation (JMLR 2022): a permutation and
its reverse cancel much of each other's error.
"""

from aggregator.evaluation.contributions.enumeration import Marginals
from aggregator.evaluation.randomness import permutation, words


def antithetic_permutations(players: int, pairs: int, seed: bytes) -> tuple[tuple[int, ...], Marginals, int]:
    """The coalitions met on the way, each marginal with weight 1, and the denominator: two permutations a pair.

    φ_i is the mean of i's marginals over 2 · `pairs` permutations, drawn from the round's seed. Coalitions come in the order of
    their masks.
    """
    stream = words(seed, "permutations")
    marginals: list[tuple[int, int, int]] = []
    for _ in range(pairs):
        order = permutation(stream, players)
        for direction in (order, order[::-1]):
            coalition = 0
            for player in direction:
                marginals.append((player, coalition, 1))
                coalition |= 1 << player
    met = {coalition for _, coalition, _ in marginals} | {(1 << players) - 1}
    return tuple(sorted(met)), marginals, 2 * pairs
