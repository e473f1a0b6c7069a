"""Which estimator a game gets: decided by the number of players and by what the round may cost, so the same for everybody."""

from collections.abc import Sequence

from aggregator.evaluation.contributions.estimate import Estimate, Outcome, Stage
from aggregator.evaluation.contributions.estimators import enumerate_game, krige, leverage
from aggregator.evaluation.contributions.game import Game
from aggregator.evaluation.contributions.gradient import aumann_shapley

ALWAYS_ENUMERATED = 12
"""Up to this many players all coalitions are evaluated, whatever it costs."""

ENUMERATED = 16
"""And up to this many, where all of them may be evaluated within what a round may cost."""

MOST_EVALUATIONS = 4096
"""Of more coalitions than these the kernel is not inverted; it gains nothing any more."""


FALLBACK = 8
"""Evaluations per player that Leverage SHAP gets at least: with fewer, its fit has hardly more equations than unknowns."""


def first_design(players: int) -> int:
    """Evaluations of the first design: fewer do not pin the quadratic part of the game."""
    return 3 * players + 4


def is_enumerated(players: int, affordable: int) -> bool:
    """Whether all coalitions of so many players are evaluated."""
    return players <= ALWAYS_ENUMERATED or (players <= ENUMERATED and 1 << players <= affordable)


def estimate(game: Game, affordable: int, seed: bytes, published: Sequence[Stage] = ()) -> Estimate:
    """Contributions by the best estimator that needs no more than `affordable` evaluations, or little more.

    Enumeration; else logit kriging, its design doubled while its certificate fails; else Leverage SHAP. Where not even the first
    design is affordable, slopes, and kriging all the same if the task's score has none.
    """
    players = game.players
    if is_enumerated(players, affordable):
        return enumerate_game(game)
    if affordable < first_design(players) and (instant := aumann_shapley(game, seed)) is not None:
        return instant
    limit = min(max(affordable, first_design(players)), MOST_EVALUATIONS)
    kriged = krige(game, first_design(players), seed, limit, published)
    if isinstance(kriged, Estimate):
        if kriged.stages[-1].outcome is Outcome.USED:
            return kriged
        kriged = kriged.stages
    fallback = leverage(game, max(limit, FALLBACK * players), seed)
    return Estimate(
        fallback.contributions,
        fallback.denominator,
        fallback.sampling_errors,
        fallback.estimation_errors,
        (*kriged, *fallback.stages),
    )
