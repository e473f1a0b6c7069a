"""A surrogate of the game: every coalition's outputs interpolated from evaluated ones, then scored as real ones are."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from aggregator.evaluation.contributions.game import Game, Worth, indicators
from aggregator.evaluation.contributions.kriging import Interpolation, Kernel
from aggregator.evaluation.contributions.regression import LinearRule
from aggregator.evaluation.contributions.standard_error import PerSample

_ROWS, _SAMPLES = 64, 256
SOME = 4096
"""Values of a coalition that are looked at to choose the length scale."""


class Observed:
    """Evaluated coalitions: their outputs where the game has such, else their scores, which are then interpolated themselves."""

    def __init__(self, game: Game, worths: Sequence[Worth]) -> None:
        self.game = game
        self.coalitions = [worth.coalition for worth in worths]
        self.members = indicators(self.coalitions, game.players)
        self.utilities = np.array([worth.utility for worth in worths], np.float64)
        self.has_outputs = all(worth.outputs is not None for worth in worths)
        if self.has_outputs:
            self._values = torch.stack([worth.outputs for worth in worths if worth.outputs is not None])
        else:
            self._values = torch.from_numpy(np.stack([worth.scores for worth in worths]).astype(np.float64))

    def some(self) -> NDArray[np.float64]:
        """Some values of each coalition, evenly spread: (coalitions, values)."""
        flat = self._values.flatten(1)
        step = max(1, flat.shape[1] // SOME) | 1  # odd: it visits every class in turn
        return flat[:, ::step].double().numpy()

    def scores(self, weights: NDArray[np.float64], samples: slice) -> NDArray[np.integer] | None:
        """Scores of the interpolated coalitions, (rows, evaluated) weights, on some samples; None if one cannot be scored."""
        values = self._values[:, samples]
        mixed = torch.from_numpy(weights).to(values.dtype) @ values.flatten(1)
        if self.has_outputs:
            return self.game.score(mixed.view(len(weights), *values.shape[1:]), samples)
        rounded: NDArray[np.int64] = np.rint(mixed.numpy()).astype(np.int64)
        return rounded


class Surrogate:
    """What `observed` makes of all other coalitions, by a kernel over those of its rows that `kept` names."""

    def __init__(self, observed: Observed, kernel: Kernel, kept: NDArray[np.intp]) -> None:
        self._observed, self._kept = observed, kept
        self.interpolation = Interpolation(kernel, observed.members[kept])

    def utilities(self, coalitions: Sequence[int]) -> NDArray[np.float64] | None:
        """U of each coalition; None if one of them cannot be scored."""
        total = np.zeros(len(coalitions))
        for samples in self._blocks():
            scores = self._observed.scores(self._weights(coalitions), samples)
            if scores is None:
                return None
            total += scores.sum(1, dtype=np.float64)
        return total

    def apply(self, rule: LinearRule, pinned: Sequence[Worth]) -> tuple[PerSample, NDArray[np.float64]] | None:
        """The rule's contributions sample by sample, and the utilities it took them from; None if a coalition has no score.

        Of the coalitions in `pinned` the real scores are taken.
        """
        per_sample = PerSample(rule.players, self._observed.game.samples)
        utilities = np.zeros(len(rule.coalitions))
        known = {worth.coalition: worth.scores for worth in pinned}
        weights = self._weights(rule.coalitions)
        fixed = [(row, known[one]) for row, one in enumerate(rule.coalitions) if one in known]
        for samples in self._blocks():
            for start in range(0, len(rule.coalitions), _ROWS):
                rows = slice(start, start + _ROWS)
                found = self._observed.scores(weights[rows], samples)
                if found is None:
                    return None
                for row, scores in fixed:
                    if start <= row < start + _ROWS:
                        found[row - start] = scores[samples]
                per_sample.add(rule.matrix[:, rows], found, samples.start)
                utilities[rows] += found.sum(1, dtype=np.float64)
        return per_sample, utilities

    def _weights(self, coalitions: Sequence[int]) -> NDArray[np.float64]:
        """Weights of all observed coalitions, zero for those that the kernel left out."""
        weights = np.zeros((len(coalitions), len(self._observed.coalitions)))
        weights[:, self._kept] = self.interpolation.weights(indicators(coalitions, self._observed.game.players))
        return weights

    def _blocks(self) -> list[slice]:
        samples = self._observed.game.samples
        return [slice(at, min(at + _SAMPLES, samples)) for at in range(0, samples, _SAMPLES)]
