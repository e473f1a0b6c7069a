"""Shapley values as a weighted least-squares fit of an additive game, which needs only some of the coalitions.

Source: Charnes, Golany, Keane and Rousseau, Extremal principle solutions of games in characteristic function form (1988);
Lundberg and Lee, A unified approach to interpreting model predictions (NeurIPS 2017), with the sampling of
`aggregator.evaluation.contributions.sampling`.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.contributions.game import indicators
from aggregator.evaluation.contributions.sampling import PairedDesign, available


@dataclass(frozen=True)
class LinearRule:
    """φ = matrix @ U over `coalitions`, which begin with the empty and the full one. `matrix`: float64, (players, coalitions).

    Laws: the rows sum to zero, the columns to (−1, 1, 0, 0, …), so that φ sums to U(N) − U(∅) up to rounding.
    """

    coalitions: tuple[int, ...]
    matrix: NDArray[np.float64]

    @property
    def players(self) -> int:
        """Number of players."""
        return len(self.matrix)


def least_squares(design: PairedDesign) -> LinearRule:
    """The fit min Σ_S weight_S · (Σ_{i∈S} φ_i − U(S) + U(∅))² subject to Σ φ = U(N) − U(∅), as a linear rule.

    The constraint by a Lagrange multiplier; the pseudo-inverse where the design does not tell all players apart.
    """
    players = design.players
    member = indicators(design.coalitions, players)
    weights = np.repeat(np.array(design.weights), 2)
    # A scale of 1, for the pseudo-inverse's cut-off; the solution does not depend on it.
    weights /= weights.max(initial=1e-300)
    inverse = np.linalg.pinv(member.T @ (member * weights[:, None]), hermitian=True)
    fitted = inverse @ (member * weights[:, None]).T
    share = inverse.sum(1) / inverse.sum()
    inner = fitted - share[:, None] * fitted.sum(0)
    full = (1 << players) - 1
    return LinearRule((0, full, *design.coalitions), np.column_stack([-inner.sum(1) - share, share, inner]))


def sampling_error(rule: LinearRule, design: PairedDesign, utilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard error of each φ from having drawn these pairs and not others, shape (players,).

    `utilities` in the order of the rule. The sandwich estimator with pairs as clusters (White, 1980), since a pair is drawn as a
    whole, with the degrees of freedom that the fit used up. Pairs of a size that was drawn completely were not left to chance.
    """
    values = rule.matrix @ utilities
    predicted = indicators(rule.coalitions[2:], rule.players) @ values
    residuals = (utilities[2:] - utilities[0] - predicted).reshape(-1, 2)
    effects = (rule.matrix[:, 2:].reshape(rule.players, -1, 2) * residuals).sum(2)
    drawn = _by_chance(design)
    pairs = int(drawn.sum())
    if not pairs:
        return np.zeros(rule.players)
    freedom = pairs / max(1, pairs - min(rule.players - 1, pairs - 1))
    error: NDArray[np.float64] = np.sqrt(freedom * (effects[:, drawn] ** 2).sum(1))
    return error


def _by_chance(design: PairedDesign) -> NDArray[np.bool_]:
    """Which pairs belong to a size of which not all pairs are in the design."""
    counts = Counter(pair.bit_count() for pair in design.pairs)
    return np.array([counts[pair.bit_count()] < available(design.players, pair.bit_count()) for pair in design.pairs], np.bool_)
