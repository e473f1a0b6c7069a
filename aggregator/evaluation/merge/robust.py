"""Robust merges: what many updates agree on, whoever lies. A library for simulations, peers and federations to come.

A federation merges by the exact weighted mean (`mean.py`) of what its gate accepted, and no setting changes that: the merge is an
exact leaf of the evidence and every coalition's model is the same law, so that U(N) is the merged model's utility. A rule whose
weights depend on who takes part would be another game.

Nothing here changes its input; memory is that of a block of parameters, whatever the size of the model. Rules that look only at
distances (multi-Krum, geometric median, centred clipping, mixing) are n × n algebra on one Gram matrix, and one weighted sum.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import saxpy

from aggregator.evaluation.gram import blocks, gram_of
from protocol.parameters import Parameters

Weights = NDArray[np.float64]
Merged = dict[str, NDArray[np.float32]]

# Columns whose values of all nodes are sorted at a time: they stay in the processor's cache, twice. No power of two: rows so far
# apart share few of its lines, and turning rows to columns would take four times as long.
_COLUMNS = 2000
# Values of a sum that stay in the cache while one update after the other is added.
_SUMMED = 1 << 16


def products_of(updates: Sequence[Parameters]) -> Weights:
    """Inner products of all pairs, shape (n, n)."""
    cosines, norms, _ = gram_of(updates)
    return cosines * np.outer(norms, norms)


def weighted_sum(updates: Sequence[Parameters], weights: Weights) -> Merged:
    """Σ_i weights_i · update_i over the weights that are not 0, in float32."""
    chosen = [int(row) for row in np.flatnonzero(weights)]
    merged: Merged = {}
    for name, like in updates[0].items():
        flat = [updates[row][name].ravel() for row in chosen]
        total = np.zeros(like.size, np.float32)
        for at in range(0, like.size, _SUMMED):
            part = total[at : at + _SUMMED]
            for row, values in zip(chosen, flat, strict=True):
                saxpy(values[at : at + _SUMMED], part, a=weights[row])  # in place
        merged[name] = total.reshape(like.shape)
    return merged


def neighbour_mixing(products: Weights, faulty: int) -> Weights:
    """NNM: row i averages update i and its nearest ones, n − `faulty` in all; shape (n, n), rows sum to 1.

    Source: Allouah et al., Fixing by Mixing (AISTATS 2023). The mixed updates themselves are never built: pass the matrix as
    `mixing` to another rule.
    """
    count = _checked(len(products), faulty)
    nearest = np.argsort(_distances(products), axis=1, kind="stable")[:, : count - faulty]
    mixing = np.zeros_like(products)
    np.put_along_axis(mixing, nearest, 1 / (count - faulty), axis=1)
    return mixing


def multi_krum(updates: Sequence[Parameters], faulty: int, mixing: Weights | None = None) -> Merged:
    """The mean of the n − `faulty` updates that are nearest to their own n − `faulty` nearest (themselves among them).

    Source: Blanchard et al., Machine Learning with Adversaries (NeurIPS 2017).
    """
    count = _checked(len(updates), faulty)
    products = _mixed(products_of(updates), mixing)
    scores = np.sort(_distances(products), axis=1)[:, : count - faulty].sum(axis=1)
    chosen = np.argsort(scores, kind="stable")[: count - faulty]
    weights = np.zeros(count)
    weights[chosen] = 1 / len(chosen)
    return weighted_sum(updates, _unmixed(weights, mixing))


def geometric_median(
    updates: Sequence[Parameters], iterations: int = 3, smoothing: float = 0.1, mixing: Weights | None = None
) -> Merged:
    """The point of least summed distance, by smoothed Weiszfeld steps from the mean.

    Source: Pillutla, Kakade, Harchaoui, Robust Aggregation for Federated Learning (IEEE TSP 2022).
    """
    products = _mixed(products_of(updates), mixing)
    weights = np.full(len(updates), 1 / _checked(len(updates), 0))
    for _ in range(iterations):
        inverse = 1 / np.maximum(_to_point(products, weights), smoothing)
        weights = inverse / inverse.sum()
    return weighted_sum(updates, _unmixed(weights, mixing))


def centred_clipping(updates: Sequence[Parameters], radius: float, iterations: int = 1, mixing: Weights | None = None) -> Merged:
    """From zero, repeatedly: add the mean of all differences, each clipped to `radius`.

    Source: Karimireddy, He, Jaggi, Learning from History (ICML 2021).
    """
    count = _checked(len(updates), 0)
    products = _mixed(products_of(updates), mixing)
    weights = np.zeros(count)
    for _ in range(iterations):
        distances = _to_point(products, weights)
        kept = np.minimum(1, radius / np.maximum(distances, 1e-300))
        weights = weights * (1 - kept.mean()) + kept / count
    return weighted_sum(updates, _unmixed(weights, mixing))


def trimmed_mean(updates: Sequence[Parameters], faulty: int, mixing: Weights | None = None) -> Merged:
    """Per parameter, the mean without the `faulty` largest and smallest values. Raises `ValueError` if nothing is left.

    Source: Yin et al., Byzantine-Robust Distributed Learning (ICML 2018).
    """
    count = _checked(len(updates), faulty)
    if 2 * faulty >= count:
        raise ValueError(f"trimming {faulty} on both sides leaves nothing of {count} updates")
    return _mean_of_sorted(updates, slice(faulty, count - faulty), mixing)


def median(updates: Sequence[Parameters], mixing: Weights | None = None) -> Merged:
    """Per parameter, the median: the mean of the two middle values where their number is even. Source: Yin et al. (ICML 2018)."""
    count = _checked(len(updates), 0)
    return _mean_of_sorted(updates, slice((count - 1) // 2, count // 2 + 1), mixing)


def _mean_of_sorted(updates: Sequence[Parameters], kept: slice, mixing: Weights | None) -> Merged:
    """Per parameter, the mean of the values at places `kept` of their order."""
    mixer = None if mixing is None else mixing.astype(np.float32)
    even = np.full(kept.stop - kept.start, 1 / (kept.stop - kept.start), np.float32)
    flat = np.empty(sum(array.size for array in updates[0].values()), np.float32)
    at = 0
    for block in blocks(updates, _COLUMNS):
        columns = np.ascontiguousarray((block if mixer is None else mixer @ block).T)
        columns.sort(axis=1)
        np.matmul(columns[:, kept], even, out=flat[at : at + len(columns)])
        at += len(columns)
    ends = np.cumsum([array.size for array in updates[0].values()])
    return {name: part.reshape(updates[0][name].shape) for name, part in zip(updates[0], np.split(flat, ends[:-1]), strict=True)}


def _mixed(products: Weights, mixing: Weights | None) -> Weights:
    return products if mixing is None else mixing @ products @ mixing.T


def _unmixed(weights: Weights, mixing: Weights | None) -> Weights:
    return weights if mixing is None else weights @ mixing


def _distances(products: Weights) -> Weights:
    squares = np.diag(products)
    distances: Weights = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    np.fill_diagonal(distances, 0)
    return distances


def _to_point(products: Weights, weights: Weights) -> Weights:
    """Distance of every update to Σ weights_i · update_i."""
    squares = np.diag(products) - 2 * products @ weights + weights @ products @ weights
    distances: Weights = np.sqrt(np.maximum(squares, 0))
    return distances


def _checked(count: int, faulty: int) -> int:
    if count == 0:
        raise ValueError("there is no update to merge")
    if not 0 <= faulty < count:
        raise ValueError(f"{faulty} faulty of {count} updates: there must be at least one that is not")
    return count
