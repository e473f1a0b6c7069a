"""CPU time: the virtual cohort against separate trainings, the Gram checks and the robust merges against ByzFL's rules.

Both sides take turns in one process on the same matrix; medians of CPU time, one thread (`bench.timing`).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from aggregator.evaluation.gate.cohort import Cohort
from aggregator.evaluation.gate.direction import affine, cone, fit
from aggregator.evaluation.gate.duplicates import similarity
from aggregator.evaluation.gate.geometry import Geometry
from aggregator.evaluation.merge.robust import (
    centred_clipping,
    geometric_median,
    median,
    multi_krum,
    neighbour_mixing,
    products_of,
    trimmed_mean,
)
from bench.gate.cells import federation
from bench.gate.detectors import byzfl
from bench.report import Goal, Row, row
from bench.timing import compare, cpu_seconds
from learning.cohort import train_many
from learning.recipe import Recipe
from learning.training import train

_COHORT = 20
_NODES = 100
_VIRTUAL = 40
_F = 30


def speed_rows(quick: bool) -> list[Row]:
    """All rows. The quick version takes 100,000 parameters instead of a million."""
    parameters = 100_000 if quick else 1_000_000
    return [_cohort(), _checks(parameters), *_merges(parameters)]


def _cohort() -> Row:
    """Twenty virtual nodes of even size, as one stack and one after the other."""
    whole, _ = federation("fashion-mlp", None, 0)
    recipe, seeds = Recipe.from_config(whole.config.recipe), list(range(_COHORT))
    nodes = whole.nodes[:_COHORT]
    stacked, separate = compare(
        (
            lambda: train_many(whole.task, whole.base, nodes, recipe, seeds),
            lambda: [train(whole.task, whole.base, data, recipe, seed) for data, seed in zip(nodes, seeds, strict=True)],
        ),
        repeats=5,
    )
    goal = Goal(at_least=3, of_ratio=True)
    return row(f"virtual cohort of {_COHORT}", "CPU", stacked, "s", goal, f"{_COHORT} separate trainings", separate)


def _checks(parameters: int) -> Row:
    """Everything that the Gram matrix gives, per real node, beside one multi-Krum on the same matrix."""
    updates = np.random.default_rng(0).standard_normal((_NODES + _VIRTUAL, parameters), np.float32)
    clients = torch.from_numpy(updates[:_NODES])
    rule = byzfl().MultiKrum(_F)
    cohort = Cohort(
        tuple(_named(updates[_NODES:])),
        np.arange(_VIRTUAL) % 2,
        np.full((_VIRTUAL, 10), 0.1),
        np.full(_VIRTUAL, 100),
        distinct=100,
        complete=True,
    )
    checked, krum = compare((lambda: _all_checks(_named(updates[:_NODES]), cohort), lambda: rule(clients)), repeats=3)
    case = f"Gram-based checks, n = {_NODES} beside {_VIRTUAL} virtual, d = {parameters:,}"
    goal = Goal(at_least=5, of_ratio=True)
    return row(case, "CPU per client", checked / _NODES, "s", goal, "ByzFL multi-Krum, same matrix", krum / _NODES)


def _merges(parameters: int) -> list[Row]:
    """Each robust merge beside ByzFL's of the same name, on one matrix of n updates."""
    matrix = np.random.default_rng(1).standard_normal((_NODES, parameters), np.float32)
    updates, vectors, package = _named(matrix), torch.from_numpy(matrix), byzfl()
    radius = float(np.linalg.norm(matrix[0]))
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "median": (lambda: median(updates), lambda: package.Median()(vectors)),
        "trimmed mean": (lambda: trimmed_mean(updates, _F), lambda: package.TrMean(_F)(vectors)),
        "geometric median": (lambda: geometric_median(updates), lambda: package.GeometricMedian()(vectors)),
        "multi-Krum": (lambda: multi_krum(updates, _F), lambda: package.MultiKrum(_F)(vectors)),
        "centred clipping": (
            lambda: centred_clipping(updates, radius, 3),
            lambda: package.CenteredClipping(L=3, tau=radius)(vectors),
        ),
    }
    found = []
    for name, both in pairs.items():
        ours, theirs = compare(both, repeats=3)
        case = f"{name}, n = {_NODES}, d = {parameters:,}"
        found.append(row(case, "CPU", ours, "s", Goal(at_least=10, of_ratio=True), "ByzFL", theirs))
    mixed = cpu_seconds(lambda: geometric_median(updates, mixing=neighbour_mixing(products_of(updates), _F)))
    gigabytes = 4e-9 * _NODES * (_NODES - _F) * parameters
    peer = f"ByzFL would allocate {gigabytes:.0f} GB"
    found.append(row(f"NNM + geometric median, n = {_NODES}, d = {parameters:,}", "CPU", mixed, "s", peer=peer))
    return found


def _all_checks(updates: Sequence[Mapping[str, NDArray[np.float32]]], cohort: Cohort) -> None:
    geometry = Geometry(updates, cohort, None)
    similarity(geometry, bytes(32))
    for check in (cone, affine, fit):
        check(geometry)


def _named(rows: NDArray[np.float32]) -> list[dict[str, NDArray[np.float32]]]:
    return [{"weights": update} for update in rows]
