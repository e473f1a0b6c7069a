"""Was an update trained on samples that carry another kind's label? Flipped classes and backdoors are, honest skew is not.

For every pair of strata a ≠ b, the gradient at the base model of the loss that clean samples of a would have under a label of b
is a direction into which only mislabelled samples push far. The unit update's coefficients on the directions of all pairs (ridge
regression) are compared, pair by pair, with what the virtual nodes have on samples that are not theirs; the statistic is the
quadratic mean over the pairs of the deviations upwards. Null: the same of the virtual nodes, each left out of its own regression.

Source: last-layer gradients tell labels (iDLG, Zhao et al., arXiv 2001.02610); here against the gate's own honest nodes.
"""

from collections.abc import Sequence

import numpy as np
import torch

from aggregator.evaluation.gate.geometry import Geometry, Raw, Values
from aggregator.evaluation.gate.strata import Strata
from aggregator.evaluation.gram import blocks
from learning.data import Data
from learning.errors import TaskError
from learning.gradients import label_gradients, trained_names
from learning.task import Task
from protocol.parameters import Parameters

_FLOATS = 1 << 25
"""Of all gradients of a fold together, 128 MiB. A model that is larger is measured by its last tensors, next to the output."""

_MOST_STRATA = 32
"""The virtual nodes are too few to tell more apart."""

_SAMPLES = 64
_RIDGE = 0.1
_MIX_RIDGE = 0.3
_LEAST_SPREAD = 0.03
_LEAST_LEFT = 0.3


def labels(geometry: Geometry, task: Task, base: Parameters, root_set: Data, strata: Strata) -> Raw | None:
    """None where it is not measured: too many strata, no tensor small enough, or a loss that cannot take another's label."""
    names = _measured(task, base, strata.count)
    if not names:
        return None
    try:
        found = [_coefficients(geometry, task, base, root_set, strata, names, fold) for fold in (0, 1)]
    except TaskError:
        return None
    nodes, virtual = _deviations(geometry, found)
    pairs = ~np.eye(strata.count, dtype=bool).ravel()
    return Raw(*(np.sqrt(np.square(np.maximum(z[:, pairs], 0)).mean(axis=1)) for z in (nodes, virtual)))


def _measured(task: Task, base: Parameters, strata: int) -> list[str]:
    """The last trained tensors whose gradients for all pairs are held together, in the model's order."""
    if not 1 < strata <= _MOST_STRATA:
        return []
    kept: list[str] = []
    left = _FLOATS // strata**2
    for name in reversed(trained_names(task)):
        left -= base[name].size
        if left < 0:
            break
        kept.append(name)
    return kept[::-1]


def _coefficients(
    geometry: Geometry, task: Task, base: Parameters, root_set: Data, strata: Strata, names: Sequence[str], fold: int
) -> Values:
    """Every row's coefficients on the pairs of one fold, shape (n + K, pairs); zero on strata that the fold has not."""
    kinds = strata.of(root_set)
    other = torch.stack([root_set.targets[example] for example in strata.examples(root_set)])
    count = strata.count
    directions = np.zeros((count**2, sum(base[name].size for name in names)), np.float32)
    for kind in range(count):
        chosen = np.flatnonzero((geometry.cohort.root_folds == fold) & (kinds == kind))[:_SAMPLES]
        if len(chosen):
            rows = slice(kind * count, (kind + 1) * count)
            directions[rows] = label_gradients(task, base, root_set.features[torch.from_numpy(chosen)], other, names)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    np.divide(directions, lengths, out=directions, where=lengths > 0)
    if not np.isfinite(directions).all():
        raise TaskError("the gradient of the loss is not finite")
    system = (directions @ directions.T).astype(np.float64) + _RIDGE * np.eye(count**2)
    rows_of = [{name: row[name] for name in names} for row in (*geometry.updates, *geometry.cohort.updates)]
    norms = np.concatenate(geometry.norms)[:, None]
    products, at = np.zeros((len(rows_of), count**2)), 0
    for block in blocks(rows_of):
        products += (block / norms).astype(np.float32) @ directions[:, at : at + block.shape[1]].T
        at += block.shape[1]
    coefficients: Values = np.linalg.solve(system, products.T).T.astype(np.float64)
    return coefficients


def _deviations(geometry: Geometry, of_fold: Sequence[Values]) -> tuple[Values, Values]:
    """How far each row's coefficients are beyond what virtual nodes of its mix have, in standard deviations of theirs."""
    crossed = [geometry.crossed([coefficients[:, pair] for coefficients in of_fold]) for pair in range(of_fold[0].shape[1])]
    nodes, virtual = (np.stack([getattr(raw, side) for raw in crossed], axis=1) for side in ("nodes", "virtual"))
    asked, known = (np.column_stack([np.ones(len(mix)), mix]) for mix in geometry.mixes)
    penalty = np.diag([1e-6, *[_MIX_RIDGE] * (known.shape[1] - 1)])
    inverse = np.linalg.inv(known.T @ known + penalty)
    slope = inverse @ known.T @ virtual
    left_out = np.maximum(1 - np.einsum("ki,ij,kj->k", known, inverse, known), _LEAST_LEFT)
    residuals = (virtual - known @ slope) / left_out[:, None]
    spread = np.sqrt(np.square(residuals).mean(axis=0) + _LEAST_SPREAD**2)
    return (nodes - asked @ slope) / spread, residuals / spread
