"""The pay rules that cheats are played against: design section 5 as it is built, and what could be put in its place."""

from collections.abc import Sequence
from functools import cache
from math import ceil

import numpy as np

from aggregator.simulation.vectors import Vector
from bench.adversaries.game import Rule, default_config
from protocol.config import FederationConfig

ALONE, COHORT, STEPS, GATE = "rule alone", "norm of the cohort", "norm by steps", "with the gate"
MEMORY = "with the gate and its memory"
QUICK = (ALONE, GATE)
NAMES = (ALONE, COHORT, STEPS, "divided by sum of n", GATE)
"""`ALONE` clips to the median norm of the round, `COHORT` to that of the virtual nodes without any verdict, `STEPS` to a norm
that grows with the steps that a node of its sample count takes; "divided by sum of n" merges with weights n_i / Σ n_j; `GATE`
is the default config, and the only one of these that gives verdicts from statistics. `MEMORY` also refuses an update that is
as similar to another node's of the round before as copies of one round may not be.
"""

_COPY = 0.85


@cache
def rule(name: str) -> Rule:
    """By its name in `NAMES`."""
    found = default_config()
    if name == GATE:
        return Rule(found)
    if name == MEMORY:
        return Rule(found, repeated=_repeated)
    if name == COHORT:
        return Rule(_without_verdicts(found))
    alone = _with_gate(found, virtual_nodes=0)
    recipe = found.recipe
    clips = {ALONE: Rule.clip, STEPS: lambda sent, samples: _by_steps(sent, samples, recipe.batch_size, recipe.epochs)}
    return Rule(alone, clips.get(name, _to_the_median))


def _without_verdicts(config: FederationConfig) -> FederationConfig:
    """Statistics are measured, and whatever they are, so many nats are taken off that they are no evidence."""
    return _with_gate(config, duplicate=1 << 40, prior=1 << 40)


def _with_gate(config: FederationConfig, **values: int) -> FederationConfig:
    return config.model_copy(update={"gate": config.gate.model_copy(update=values)})


def _to_the_median(sent: Sequence[Vector], samples: Sequence[int]) -> list[Vector]:
    """Nothing is left for the rule to clip, so all d are 1 and it divides by Σ n_j."""
    return _clip(sent, np.full(len(sent), _median(_norms(sent))))


def _by_steps(sent: Sequence[Vector], samples: Sequence[int], batch: int, epochs: int) -> list[Vector]:
    """Norm over the square root of the steps is what has a median; each is clipped to it times the root of its own steps."""
    roots = np.sqrt([epochs * ceil(max(count, 1) / batch) for count in samples])
    return _clip(sent, roots * _median(_norms(sent) / roots))


def _repeated(sent: Sequence[Vector], before: Sequence[Vector]) -> frozenset[int]:
    """Similarity as in `gate.duplicates`, of directions without their mean: 1 − d² / t, t the median distance to all others."""
    if not before:
        return frozenset()
    new, old = (_directions(vectors) for vectors in (sent, before))
    found = set()
    for index, one in enumerate(new):
        others = np.array([np.sum((one - other) ** 2) for at, other in enumerate(old) if at != index])
        if one.any() and 1 - others.min() / max(float(np.median(others)), 1e-3) > _COPY:
            found.add(index)
    return frozenset(found)


def _directions(vectors: Sequence[Vector]) -> np.ndarray:
    norms = np.maximum(_norms(vectors), 1e-12)
    units = np.stack([vector.astype(np.float64) for vector in vectors]) / norms[:, None]
    centred: np.ndarray = units - units.mean(axis=0)
    return centred


def _norms(sent: Sequence[Vector]) -> np.ndarray:
    return np.array([np.linalg.norm(update.astype(np.float64)) for update in sent])


def _median(norms: np.ndarray) -> float:
    """The lower of two middle ones, of those that are not zero; 1 if there is none."""
    moving = np.sort(norms[norms > 0])
    return float(moving[(len(moving) - 1) // 2]) if len(moving) else 1.0


def _clip(sent: Sequence[Vector], references: np.ndarray) -> list[Vector]:
    # A little below the reference, so that rounding cannot make d fall under 1.
    return [
        np.asarray(update * np.float32(0.999999 * reference / norm), np.float32) if norm > reference else update
        for update, norm, reference in zip(sent, _norms(sent), references, strict=True)
    ]
