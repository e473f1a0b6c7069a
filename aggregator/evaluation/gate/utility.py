"""What an update does to the score of each stratum: the dear check, made only where the cheap ones leave a doubt.

Never the mean loss of the single model, which punishes nodes with skewed data. Null: the same of the virtual nodes. Neither they
nor the real nodes have seen the samples of the evaluation shards.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from aggregator.evaluation.gate.geometry import Geometry, Raw, Values
from aggregator.evaluation.gate.strata import Strata
from learning.errors import TaskError
from learning.evaluator import SCORE_UNIT, Evaluator
from protocol.parameters import Parameters


class Utilities(NamedTuple):
    """Losses of score, larger is worse. `best`: negated mean gain of the two strata that gain most. `own`: negated gain,
    weighted by the strata that the update itself says it was trained on.
    """

    best: Raw
    own: Raw


def utilities(
    geometry: Geometry, base: Parameters, reference: float, evaluators: Sequence[Evaluator], strata: Strata, asked: Sequence[int]
) -> Utilities:
    """Of the real nodes at positions `asked` (the others get NaN) and all virtual ones. Updates are clipped to `reference`."""
    rows = [*asked, *geometry.virtual]
    everyone = (*geometry.updates, *geometry.cohort.updates)
    norms = np.concatenate(geometry.norms)
    kinds = np.concatenate([strata.of(evaluator.data) for evaluator in evaluators])
    counts = np.bincount(kinds, minlength=strata.count)
    before = _by_stratum(base, evaluators, kinds, counts)
    gains = np.full((geometry.n + geometry.k, strata.count), np.nan)
    for row in rows:
        factor = np.float32(min(1.0, reference / norms[row]))
        with np.errstate(over="ignore"):  # a model that cannot be scored gains nothing anywhere
            model = {name: start + factor * everyone[row][name] for name, start in base.items()}
        gains[row] = _by_stratum(model, evaluators, kinds, counts) - before
    best = -np.sort(gains[:, counts > 0], axis=1)[:, -2:].mean(axis=1)
    own = -(np.concatenate(geometry.mixes) * gains * (counts > 0)).sum(axis=1)
    split = geometry.n
    return Utilities(Raw(best[:split], best[split:]), Raw(own[:split], own[split:]))


def _by_stratum(model: Parameters, evaluators: Sequence[Evaluator], kinds: np.ndarray, counts: np.ndarray) -> Values:
    try:
        scores = np.concatenate([evaluator.scores(model) for evaluator in evaluators]) / SCORE_UNIT
    except TaskError:
        scores = np.zeros(len(kinds))
    found: Values = np.bincount(kinds, scores, minlength=len(counts)) / np.maximum(counts, 1)
    return found
