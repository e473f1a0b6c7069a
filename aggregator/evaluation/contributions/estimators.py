"""The estimators of Shapley values. Each plays a game and gives an `Estimate`.

Whatever they are, U(∅) and U(N) are evaluated, and contributions sum to U(N) − U(∅) exactly.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.contributions.enumeration import every_coalition, exact_matrix, shapley
from aggregator.evaluation.contributions.estimate import Estimate, Estimator, Outcome, Stage, solved
from aggregator.evaluation.contributions.game import Game, Worth
from aggregator.evaluation.contributions.kriging import SingularKernelError, choose, distinct, kernels
from aggregator.evaluation.contributions.regression import LinearRule, least_squares, sampling_error
from aggregator.evaluation.contributions.sampling import paired_design
from aggregator.evaluation.contributions.standard_error import PerSample, in_batches
from aggregator.evaluation.contributions.surrogate import Observed, Surrogate

SURROGATE_COALITIONS = 4096
"""Coalitions of the surrogate that are scored where there are too many to score all."""

_SURROGATE_ENUMERATION = 12


def enumerate_game(game: Game) -> Estimate:
    """Exact values: all 2^n coalitions. Every sum is exact, so that everybody gets the same integers."""
    coalitions = every_coalition(game.players)
    matrix, denominator = exact_matrix(coalitions, game.players)
    column = {coalition: k for k, coalition in enumerate(coalitions)}
    per_sample, utilities = PerSample(game.players, game.samples), dict.fromkeys(coalitions, 0)
    for worths in in_batches(game.play(coalitions)):
        columns = [column[worth.coalition] for worth in worths]
        per_sample.add(matrix[:, columns].astype(np.float64), np.stack([worth.scores for worth in worths]))
        utilities |= {worth.coalition: worth.utility for worth in worths}
    values, _ = shapley(utilities, game.players)
    stage = Stage(Estimator.ENUMERATION, Outcome.USED, len(coalitions))
    return Estimate(values, denominator, per_sample.exact_errors(), (0,) * game.players, (stage,))


def leverage(game: Game, evaluations: int, seed: bytes) -> Estimate:
    """Paired, size-stratified Leverage SHAP on `evaluations` coalitions (the empty and the full one among them)."""
    design = paired_design(game.players, (evaluations - 2) // 2, seed, "leverage")
    rule = least_squares(design)
    per_sample, utilities = PerSample(game.players, game.samples), np.zeros(len(rule.coalitions))
    start = 0
    for worths in in_batches(game.play(rule.coalitions)):
        columns = slice(start, start + len(worths))
        per_sample.add(rule.matrix[:, columns], np.stack([worth.scores for worth in worths]))
        utilities[columns] = [worth.utility for worth in worths]
        start += len(worths)
    stage = Stage(Estimator.LEVERAGE, Outcome.USED, len(rule.coalitions))
    values, error = rule.matrix @ utilities, sampling_error(rule, design, utilities)
    return solved(values, _gain(utilities), per_sample.standard_errors(), error, (stage,))


def krige(
    game: Game, evaluations: int, seed: bytes, limit: int | None = None, published: Sequence[Stage] = ()
) -> Estimate | tuple[Stage, ...]:
    """Logit kriging on about `evaluations` coalitions, doubled up to `limit` while the certificate fails.

    Needs at least 4 players and 2n + 4 evaluations. `published`: the stages of a round that is replayed, whose figures decide.
    Gives the stages alone if there is nothing to interpolate: a coalition without a score, or a singular kernel. The outcome of
    the last stage says whether the certificate holds.
    """
    found: dict[int, Worth] = {}
    stages: list[Stage] = []
    while True:
        design = paired_design(game.players, (evaluations - 2) // 2, seed, "kriging")
        full = (1 << game.players) - 1
        wanted = [one for one in (0, full, *design.coalitions) if one not in found]
        for worth in game.play(wanted, outputs=True):
            found[worth.coalition] = worth
        if not all(worth.scorable for worth in found.values()):
            return (*stages, Stage(Estimator.KRIGING, Outcome.NOT_SCORABLE, len(found)))
        observed = Observed(game, list(found.values()))
        told = published[len(stages)] if len(stages) < len(published) and published[len(stages)].misses else None
        try:
            attempt = _Attempt(observed, design.coalitions[2 * game.players :], told)
            stages.append(attempt.stage)
            if attempt.certified or limit is None or 2 * evaluations > limit or len(found) >= 1 << game.players:
                return attempt.estimate(found, seed, stages)
        except SingularKernelError:
            return (*stages, Stage(Estimator.KRIGING, Outcome.SINGULAR, len(found)))
        evaluations *= 2


class _Attempt:
    """One design's surrogate: checked on hold-outs, then fitted to all that was evaluated."""

    def __init__(self, observed: Observed, drawn: Sequence[int], told: Stage | None) -> None:
        self._observed, self._game = observed, observed.game
        self._gram = observed.game.gram()
        held = set(_held_out(drawn, len(observed.coalitions)))
        fit = np.array([k for k, one in enumerate(observed.coalitions) if one not in held])
        fit = fit[distinct(observed.members[fit], self._gram)]
        candidates, misses = choose(observed.members[fit], self._gram, observed.some()[fit])
        own = tuple(round(miss * (1 << 20)) for miss in misses)
        self._chosen = (told or Stage(Estimator.KRIGING, Outcome.USED, 0, misses=own)).length_scale
        residuals = self._residuals(Surrogate(observed, candidates[self._chosen], fit), sorted(held))
        self._error = _additive_error(residuals, sorted(held), self._game.players)
        in_design = np.isin(np.arange(len(observed.coalitions)), [observed.coalitions.index(one) for one in drawn])
        spread = round(float(observed.utilities[in_design].std())) if in_design.any() else 0
        residual = round(float(np.sqrt(np.mean(residuals**2)))) if len(residuals) else 0
        found = Stage(Estimator.KRIGING, Outcome.USED, len(observed.coalitions), residual, spread, own)
        self.certified = (told or found).certified
        self.stage = found if self.certified else found._replace(outcome=Outcome.NOT_CERTIFIED)

    def estimate(self, found: dict[int, Worth], seed: bytes, stages: Sequence[Stage]) -> Estimate:
        """The contributions of the surrogate that is fitted to all evaluated coalitions."""
        observed, players = self._observed, self._game.players
        kept = distinct(observed.members, self._gram)
        surrogate = Surrogate(observed, kernels(observed.members[kept], self._gram)[self._chosen], kept)
        design = None
        if players <= _SURROGATE_ENUMERATION:
            coalitions = every_coalition(players)
            matrix, denominator = exact_matrix(coalitions, players)
            rule = LinearRule(coalitions, matrix / denominator)
        else:
            design = paired_design(players, SURROGATE_COALITIONS // 2, seed, "surrogate")
            rule = least_squares(design)
        applied = surrogate.apply(rule, list(found.values()))
        if applied is None:
            raise SingularKernelError("an interpolated coalition has no score")
        per_sample, utilities = applied
        error = np.full(players, self._error)
        if design is not None:
            error = np.hypot(error, sampling_error(rule, design, utilities))
        gain = int(found[(1 << players) - 1].utility - found[0].utility)
        return solved(rule.matrix @ utilities, gain, per_sample.standard_errors(), error, stages)

    def _residuals(self, surrogate: Surrogate, held: Sequence[int]) -> NDArray[np.float64]:
        """What the surrogate without the hold-outs misses of them."""
        utilities = surrogate.utilities(held)
        if utilities is None:
            raise SingularKernelError("an interpolated coalition has no score")
        real = dict(zip(self._observed.coalitions, self._observed.utilities.tolist(), strict=True))
        return np.array([real[one] for one in held]) - utilities


def _additive_error(residuals: NDArray[np.float64], held: Sequence[int], players: int) -> float:
    """The standard error of a contribution if what the surrogate misses were an additive game, as bad as can be.

    Independent errors ε_i of variance τ² that sum to zero, as U(∅) and U(N) are known, give a coalition of s players an error of
    variance τ² · s · (n − s) / n, and a player one of τ² · (n − 1) / n. Real errors are not additive, and cancel in part.
    """
    if not held:
        return 0.0
    sizes = np.array([one.bit_count() for one in held])
    return float(np.sqrt(np.mean(residuals**2 * players / (sizes * (players - sizes))) * (players - 1) / players))


def _held_out(drawn: Sequence[int], evaluated: int) -> list[int]:
    """About a tenth of all evaluated coalitions, from the drawn ones, evenly over their sizes and pair by pair."""
    pairs = [drawn[at : at + 2] for at in range(0, len(drawn), 2)]
    wanted = min(len(pairs) // 2, ceil(evaluated / 20))
    if not wanted:
        return []
    return [one for k in range(wanted) for one in pairs[(2 * k + 1) * len(pairs) // (2 * wanted)]]


def _gain(utilities: NDArray[np.float64]) -> int:
    return round(float(utilities[1])) - round(float(utilities[0]))
