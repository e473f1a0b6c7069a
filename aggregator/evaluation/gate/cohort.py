"""The virtual honest nodes: trained by the evaluation itself, from clean data, with the federation's recipe.

They are the null distribution of every statistic. Attackers cannot shift it, so no honest majority is needed; and it spans the
directions that honest nodes with skewed data take, so that skew is no crime. The root set is cut into two folds: nodes of one
fold are compared with nodes of the other, as the real ones are, so that neither has seen the samples it is measured against.

Source of the idea: trusted clients beside a root set, FLTrust (Cao et al., NDSS 2021) and FoundationFL (arXiv 2501.17381);
cross-fitting, Chernozhukov et al. 2018.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.gate.leaning import leanings
from aggregator.evaluation.gate.strata import Strata
from aggregator.evaluation.randomness import words
from learning.cohort import train_many
from learning.data import Data
from learning.recipe import Recipe
from learning.task import Task
from protocol.parameters import Parameters

_MAJOR = 0.6
_CONCENTRATIONS = (0.1, 0.3, 1.0)
_LEAST = 6
_ALIKE = 3
_FEW_ALIKE = 8


@dataclass(frozen=True)
class Cohort:
    """Virtual nodes whose training did not diverge, K of them, in two folds.

    `updates` one for each; `folds` 0 or 1, shape (K,); `mixes` the share of each stratum in its samples, shape (K, strata);
    `sizes` samples of each, shape (K,), drawn from `distinct` ones at the least; `complete`: both folds hold every stratum.
    """

    updates: tuple[Parameters, ...]
    folds: NDArray[np.int64]
    mixes: NDArray[np.float64]
    sizes: NDArray[np.int64]
    distinct: int
    complete: bool


def virtual_cohort(
    task: Task, base: Parameters, root_set: Data, strata: Strata, recipe: Recipe, sizes: Sequence[int], count: int, seed: bytes
) -> Cohort | None:
    """About `count` virtual nodes, drawn from the round's seed; None if there can be no cohort.

    Every other one sees only samples of each stratum whose inputs are alike, since nodes are not as mixed as a root set.
    `sizes`: the sample counts that the real nodes signed; the virtual ones get the least, the median and the most of them, so
    that they take as many steps. There is no cohort for `count` 0, for fewer than four root samples, and when more virtual
    trainings diverge than leave three in each fold.
    """
    if count == 0 or not sizes or len(root_set) < 4:
        return None
    stream = words(seed, "virtual nodes")
    kinds = strata.of(root_set)
    fold_of = _folds(kinds, stream)
    typical = np.quantile(np.array(sizes), (0, 1 / 2, 1), method="lower")
    datas, folds, mixes = [], [], []
    for fold in (0, 1):
        pools = [np.flatnonzero((fold_of == fold) & (kinds == kind)) for kind in range(strata.count)]
        own = np.concatenate(pools)
        drawn = [int(own[next(stream) % len(own)]) for _ in range(max(1, count // 4))]
        leaning = leanings(root_set, kinds, drawn)
        for position, mix in enumerate(_mixes(pools, count // 2, stream)):
            seen = _alike(pools, leaning[:, position // 2]) if position % 2 else pools
            chosen = _draw(seen, mix, int(typical[position % 3]), stream)
            datas.append(root_set.take(chosen))
            folds.append(fold)
            mixes.append(np.bincount(kinds[chosen], minlength=strata.count) / len(chosen))
    updates = train_many(task, base, datas, recipe, [next(stream) for _ in datas])
    kept = [k for k, update in enumerate(updates) if update is not None and any(array.any() for array in update.values())]
    if min(sum(folds[k] == fold for k in kept) for fold in (0, 1)) < _LEAST // 2:
        return None
    present = [set(kinds[fold_of == fold]) for fold in (0, 1)]
    return Cohort(
        tuple(update for k in kept if (update := updates[k]) is not None),
        np.array([folds[k] for k in kept]),
        np.array([mixes[k] for k in kept]),
        np.array([len(datas[k]) for k in kept]),
        distinct=len(root_set) // 2,
        complete=all(len(found) == strata.count for found in present),
    )


def _folds(kinds: NDArray[np.int64], stream: Iterator[int]) -> NDArray[np.int64]:
    """Every stratum's samples dealt in turn to the two folds, in a drawn order."""
    fold_of = np.zeros(len(kinds), np.int64)
    turn = 0
    for kind in np.unique(kinds):
        members = np.flatnonzero(kinds == kind)
        for member in members[np.argsort([next(stream) for _ in members])]:
            fold_of[member] = turn
            turn = 1 - turn
    return fold_of


def _mixes(pools: list[NDArray[np.int64]], count: int, stream: Iterator[int]) -> list[NDArray[np.float64]]:
    """The label mixes of one fold: as it comes, one for each stratum alone, then ever other ones.

    Alone, and not nearly so: to a model that knows its class, a node of one class sends what no mix with others comes near.
    """
    natural = np.array([len(pool) for pool in pools], np.float64)
    natural /= natural.sum()
    filled = [kind for kind, pool in enumerate(pools) if len(pool)]
    order = [filled[k] for k in np.argsort([next(stream) for _ in filled])]
    found = [natural]
    for turn in range(count - 1):
        kind = order[turn % len(order)]
        lap = turn // len(order)
        if lap == 0:
            found.append(_tilted(natural, kind, 1.0))
        elif turn % 4 == 0:
            found.append(_tilted(natural, kind, _MAJOR))
        else:
            found.append(_dirichlet(natural, _CONCENTRATIONS[turn % 3], stream))
    return found


def _alike(pools: list[NDArray[np.int64]], leaning: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Of every stratum the samples that lean most: a share of them, and more where that is a handful."""
    kept = [min(len(pool), max(_FEW_ALIKE, len(pool) // _ALIKE)) for pool in pools]
    return [pool[np.argsort(-leaning[pool], kind="stable")[:count]] for pool, count in zip(pools, kept, strict=True)]


def _tilted(natural: NDArray[np.float64], kind: int, share: float) -> NDArray[np.float64]:
    mix = natural * (1 - share)
    mix[kind] += share
    tilted: NDArray[np.float64] = mix / mix.sum()
    return tilted


def _dirichlet(natural: NDArray[np.float64], alpha: float, stream: Iterator[int]) -> NDArray[np.float64]:
    random = np.random.RandomState(next(stream) >> 32)  # its streams are frozen (NEP 19)
    drawn = np.where(natural > 0, random.standard_gamma(alpha, len(natural)), 0)
    drawn = drawn if drawn.sum() > 0 else natural
    mix: NDArray[np.float64] = drawn / drawn.sum()
    return mix


def _draw(pools: list[NDArray[np.int64]], mix: NDArray[np.float64], size: int, stream: Iterator[int]) -> NDArray[np.int64]:
    """`size` samples with replacement, at least two: the stratum by `mix`, then any of its samples."""
    random = np.random.RandomState(next(stream) >> 32)
    kinds = random.choice(len(pools), size=max(size, 2), p=mix)
    return np.array([pools[kind][random.randint(len(pools[kind]))] for kind in kinds], np.int64)
