"""An instant estimate for models that are too large to be evaluated often: slopes on the line from base to merged model.

φ_i ≈ ∫₀¹ ∂U/∂s_i (t, …, t) dt, the Aumann–Shapley value of the game in which players may take part by any fraction; it is exact
where U is quadratic in the parts. Three Gauss nodes, so three passes forwards and backwards, and six evaluations.
Source: Aumann and Shapley, Values of non-atomic games (1974).
"""

import numpy as np

from aggregator.evaluation.contributions.estimate import Estimate, Estimator, Outcome, Stage, solved
from aggregator.evaluation.contributions.game import Game, indicators
from aggregator.evaluation.contributions.sampling import paired_design

GROUPS = 16
"""Groups of samples whose contributions tell the sampling error, since those of single samples are not known here."""

_CHECKS = 2


def aumann_shapley(game: Game, seed: bytes) -> Estimate | None:
    """Contributions by slopes; None if the game has none. Needs at least 4 players.

    What the integral misses of U(N) − U(∅) is spread in proportion to |φ|. The estimation error comes from drawn pairs: of what
    Σ_{i∈S} φ_i misses of U(S), minus the same for N \\ S, errors ε_i of single players make a variance of n · Var(ε).
    """
    nodes, weights = np.polynomial.legendre.leggauss(3)
    per_group = np.zeros((GROUPS, game.players))
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        found = game.slopes(float(node), GROUPS)
        if found is None:
            return None
        per_group += weight * found
    values = per_group.sum(0)
    coalitions = paired_design(game.players, game.players + _CHECKS, seed, "slopes").coalitions[2 * game.players :]
    utilities = [worth.utility for worth in game.play([0, (1 << game.players) - 1, *coalitions])]
    gain = utilities[1] - utilities[0]
    size = np.abs(values)
    values = values + (gain - values.sum()) * size / (size.sum() or 1.0)
    missed = np.array(utilities[2:]) - utilities[0] - indicators(coalitions, game.players) @ values
    differences = missed[::2] - missed[1::2]
    error = float(np.sqrt(np.mean(differences**2) / game.players)) if len(differences) else 0.0
    sampling = per_group.std(0, ddof=1) * GROUPS**0.5
    stage = Stage(Estimator.AUMANN_SHAPLEY, Outcome.USED, len(utilities))
    return solved(values, gain, sampling, np.full(game.players, error), (stage,))
