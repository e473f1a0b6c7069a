"""A lying aggregator that uses every tolerance up in favour of a friend: what scorers must still attest.

The digits are evaluated in integers, so their utilities have no tolerance; here they have that of a float model.
"""

from dataclasses import replace

from aggregator.evaluation.contributions.contribute import ContributionFigures
from aggregator.evaluation.round import Measurements, RoundInputs, RoundOutcome, evaluate_round
from bench.adversaries.game import first_round, world
from bench.report import Goal, Row, row
from protocol.shares import SCORE_TOTAL


def rows(seeds: int) -> list[Row]:
    """The share of the pool that the friend gains, in percent of the pool, and the bound that arithmetic gives."""
    found = []
    for seed in range(seeds):
        inputs = first_round(world(seed))
        honest = evaluate_round(inputs)
        friend = min(node.node for node in honest.nodes if node.score)
        lie = evaluate_round(inputs, _favouring(friend, inputs, honest))
        gained = 100 * (_score(lie, friend) - _score(honest, friend)) / SCORE_TOTAL
        found.append(
            row(
                f"lying aggregator: tolerance of a float model used up, seed {seed}",
                "gain",
                gained,
                "% of the pool",
                Goal(at_most=_bound(inputs, honest)),
            )
        )
    return found


def _favouring(friend: int, inputs: RoundInputs, honest: RoundOutcome) -> Measurements:
    """Every utility of a coalition with the friend as high as the tolerance lets it, every other one as low."""
    figures, tolerance = honest.measured.contributions, inputs.config.tolerance.utility
    moved = {
        (coalition, shard): utility + (tolerance if coalition >> friend & 1 else -tolerance)
        for (coalition, shard), utility in figures.utilities.items()
    }
    changed: ContributionFigures = replace(figures, utilities=moved)
    return Measurements(honest.measured.statistics, changed)


def _bound(inputs: RoundInputs, honest: RoundOutcome) -> float:
    """φ moves by at most 2τ for each shard, of at least the round's gain: in percent of the pool."""
    moved = 2 * len(inputs.shards) * inputs.config.tolerance.utility
    return 100 * 2 * moved / (honest.utility_all - honest.utility_empty - moved)


def _score(outcome: RoundOutcome, node: int) -> int:
    return next(found.score for found in outcome.nodes if found.node == node)
