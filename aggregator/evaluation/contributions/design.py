"""A design: which coalitions to evaluate, and how the Shapley values follow from their utilities.

Every estimator here is linear with integer coefficients: φ · denominator = coefficients @ utilities. So contributions are
integers over one denominator, additive over samples and shards, and the same for everybody.

Source: Shapley, A value for n-person games (1953).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.contributions.enumeration import enumerate_all
from aggregator.evaluation.contributions.permutations import antithetic_permutations

ENUMERATION_LIMIT = 12
"""Up to this many players all coalitions are evaluated; above, permutations are sampled."""


@dataclass(frozen=True)
class Design:
    """Coalitions as bit masks over players 0 … n − 1, the empty one first and the full one last.

    `coefficients`: int64, shape (players, coalitions). Laws: the columns of the empty and the full coalition sum to
    −denominator and +denominator and all others to zero (efficiency); a player's row sums to zero.
    """

    players: int
    coalitions: tuple[int, ...]
    coefficients: NDArray[np.int64]
    denominator: int


def choose_design(players: int, permutation_pairs: int, seed: bytes) -> Design:
    """Enumeration where it is affordable, antithetic permutations from the round's seed above."""
    if players <= ENUMERATION_LIMIT:
        coalitions, marginals, denominator = enumerate_all(players)
    else:
        coalitions, marginals, denominator = antithetic_permutations(players, permutation_pairs, seed)
    column = {coalition: k for k, coalition in enumerate(coalitions)}
    coefficients = np.zeros((players, len(coalitions)), np.int64)
    for player, without, weight in marginals:
        coefficients[player, column[without | 1 << player]] += weight
        coefficients[player, column[without]] -= weight
    return Design(players, coalitions, coefficients, denominator)
