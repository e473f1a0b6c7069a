"""Four published detectors, each in a few lines from its paper, and the rules of ByzFL's package. Who asks is told the true f.

`updates` is float32 (n, d), one row per node. The four detectors are not given rows with NaN or infinity, of which their papers
do not speak; ByzFL's rules are, as its users would.
"""

import importlib
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, MeanShift, estimate_bandwidth

from bench.peers import PYTHON, PeerError

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Context:
    """What a rule may know: the number of attackers `f`, the update trained on the root set (d,), and random numbers."""

    f: int
    root: NDArray[np.float32]
    random: np.random.Generator


@dataclass(frozen=True)
class Aggregate:
    """The step of the global model (d,), and the rows that the rule left out, None if it names nobody."""

    step: NDArray[np.float32]
    refused: frozenset[int] | None


Rule = Callable[[Rows, Context], Aggregate]


def fltrust(updates: Rows, context: Context) -> Aggregate:
    """Cao, Fang, Liu and Gong, FLTrust, NDSS 2021, equations 2 to 4: rectified cosine to the root update, at its norm."""
    norms = np.maximum(np.linalg.norm(updates, axis=1), 1e-12)
    size = float(np.linalg.norm(context.root))
    trust = np.maximum(updates @ context.root / norms / max(size, 1e-12), 0)
    weights = trust * size / norms / max(float(trust.sum()), 1e-12)
    return Aggregate((weights @ updates).astype(np.float32), frozenset(np.flatnonzero(trust <= 0).tolist()))


def flame(updates: Rows, context: Context, noise: float = 0.001) -> Aggregate:
    """Nguyen et al., FLAME, USENIX Security 2022, algorithm 1: the majority's cluster by cosine, clipped, a little noise."""
    norms = np.maximum(np.linalg.norm(updates, axis=1), 1e-12)
    units = (updates / norms[:, None]).astype(np.float64)
    distances = np.clip(1 - units @ units.T, 0, 2)
    labels = HDBSCAN(
        min_cluster_size=len(updates) // 2 + 1, min_samples=1, metric="precomputed", allow_single_cluster=True, copy=True
    ).fit_predict(distances)
    kept = np.flatnonzero(labels >= 0) if (labels >= 0).any() else np.arange(len(updates))
    bound = float(np.median(norms))
    clipped = updates[kept] * np.minimum(1, bound / norms[kept])[:, None]
    step = clipped.mean(0) + context.random.normal(0, noise * bound, updates.shape[1])
    return Aggregate(step.astype(np.float32), _others(kept, len(updates)))


def dnc(updates: Rows, context: Context, iterations: int = 3, sampled: int = 10_000) -> Aggregate:
    """Shejwalkar and Houmansadr, NDSS 2021, algorithm 2, c = 1: not the f largest along the top singular vector."""
    kept = set(range(len(updates)))
    for _ in range(iterations):
        chosen = context.random.permutation(updates.shape[1])[:sampled]
        part = updates[:, chosen].astype(np.float64)
        centred = part - part.mean(0)
        # The top right singular vector through the small Gram matrix: projections are its top eigenvector's entries.
        _, vectors = np.linalg.eigh(centred @ centred.T)
        scores = vectors[:, -1] ** 2
        kept &= set(np.argsort(scores)[: len(updates) - context.f].tolist())
    rows = np.array(sorted(kept)) if kept else np.arange(len(updates))
    return Aggregate(updates[rows].mean(0), _others(rows, len(updates)))


def signguard(updates: Rows, context: Context, share: float = 0.1) -> Aggregate:
    """Xu, Huang, Song and Lan, SignGuard, ICDCS 2022, algorithm 2: norms of 0.1 … 3 medians, the largest cluster of signs."""
    norms = np.linalg.norm(updates, axis=1)
    median = float(np.median(norms))
    by_norm = set(np.flatnonzero((norms >= 0.1 * median) & (norms <= 3 * median)).tolist())
    chosen = context.random.permutation(updates.shape[1])[: max(1, int(share * updates.shape[1]))]
    signs = np.sign(updates[:, chosen])
    features = np.stack([(signs > 0).mean(1), (signs == 0).mean(1), (signs < 0).mean(1)], axis=1)
    bandwidth = estimate_bandwidth(features, quantile=0.5)
    if bandwidth > 0:
        labels = MeanShift(bandwidth=bandwidth, bin_seeding=True, cluster_all=False).fit_predict(features)
        by_sign = set(np.flatnonzero(labels == np.bincount(labels[labels >= 0]).argmax()).tolist())
    else:
        by_sign = set(range(len(updates)))
    kept = np.array(sorted(by_norm & by_sign) or sorted(by_norm) or range(len(updates)))
    clipped = updates[kept] * np.minimum(1, median / np.maximum(norms[kept], 1e-12))[:, None]
    return Aggregate(clipped.mean(0).astype(np.float32), _others(kept, len(updates)))


def _others(kept: NDArray[np.int64], count: int) -> frozenset[int]:
    return frozenset(range(count)) - frozenset(int(row) for row in kept)


DETECTORS: dict[str, Rule] = {"FLTrust": fltrust, "FLAME": flame, "DnC": dnc, "SignGuard": signguard}


def byzfl() -> Any:
    """ByzFL's aggregators, as shipped, from the peers' environment, on the torch of this one: all rules in the same run.

    The package's own `__init__` imports plotting and torchvision, which its rules do not need; it is stepped over.
    Raises `PeerError` if the peers are not installed.
    """
    if "byzfl" not in sys.modules:
        places = sorted((PYTHON.parents[1] / "lib").glob("python3*/site-packages/byzfl"))
        if not places:
            raise PeerError("the peers are not installed: run `make bench/.venv/ready`")
        package = types.ModuleType("byzfl")
        package.__path__ = [str(places[0])]
        sys.modules["byzfl"] = package
    return importlib.import_module("byzfl.aggregators")


def _package_rule(make: Callable[[Any, int, Rows], list[Any]]) -> Rule:
    def rule(updates: Rows, context: Context) -> Aggregate:
        vectors = torch.from_numpy(updates.copy())  # some of its rules write into what they are given
        torch.manual_seed(int(context.random.integers(1 << 31)))
        for stage in make(byzfl(), _tolerable(context.f, len(updates)), updates):
            vectors = stage(vectors)
        return Aggregate(np.asarray(vectors.numpy(), np.float32), None)

    return rule


def _tolerable(f: int, n: int) -> int:
    return min(f, (n - 1) // 2)  # beyond that these rules refuse to work


def _multi_krum(updates: Rows, context: Context) -> Aggregate:
    # ByzFL returns only the mean; its selection is recomputed by its own formula to say whom it left out.
    step = _package_rule(lambda p, f, _: [p.MultiKrum(f)])(updates, context).step
    count, f = len(updates), _tolerable(context.f, len(updates))
    rows = torch.from_numpy(updates)
    scores = (torch.cdist(rows, rows) ** 2).sort(1).values[:, 1 : count - f].mean(1)
    return Aggregate(step, _others(scores.argsort(stable=True)[: count - f].numpy(), count))


def _median_norm(updates: Rows) -> float:
    return max(float(np.nanmedian(np.linalg.norm(updates, axis=1))), 1e-6)


BYZFL: dict[str, Rule] = {
    "Average": _package_rule(lambda p, f, _: [p.Average()]),
    "Median": _package_rule(lambda p, f, _: [p.Median()]),
    "TrMean": _package_rule(lambda p, f, _: [p.TrMean(f)]),
    "GeometricMedian": _package_rule(lambda p, f, _: [p.GeometricMedian()]),
    "MultiKrum": _multi_krum,
    "CenteredClipping": _package_rule(lambda p, f, updates: [p.CenteredClipping(L=3, tau=_median_norm(updates))]),
    "MeaMed": _package_rule(lambda p, f, _: [p.Meamed(f)]),
    "MoNNA": _package_rule(lambda p, f, _: [p.MoNNA(f)]),
    "CAF": _package_rule(lambda p, f, _: [p.CAF(f)]),
    "NNM+TrMean": _package_rule(lambda p, f, _: [p.NNM(f), p.TrMean(f)]),
    "NNM+GeometricMedian": _package_rule(lambda p, f, _: [p.NNM(f), p.GeometricMedian()]),
}
"""ByzFL 0.0.11. Not there: MDA and SMEA, which enumerate all subsets, and Krum, of which MultiKrum is the better half."""
