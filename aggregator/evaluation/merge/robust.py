"""Robust merges: what many updates agree on, whoever lies. A library for simulations, peers and federations to come.

A federation merges by the exact weighted mean (`mean.py`) of what its gate accepted, and no setting changes that: the merge is an
exact leaf of the evidence and every coalition's model is the same law, so that U(N) is the merged model's utility. A rule whose
weights depend on who takes part would be another game.

Nothing here changes its input; memory is that of a block of parameters, whatever the size of the model. Rules that look only at
distances (multi-Krum, geometric median, centred clipping, mixing) are n × n algebra on one Gram matrix, and one weighted sum.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.gram import blocks, gram_of
from protocol.parameters import Parameters

Weights = NDArray[np.float64]
Merged = dict[str, NDArray[np.float32]]

# Columns whose values of all nodes are sorted at a time: they stay in the processor's cache.
_COLUMNS = 1 << 13


def products_of(updates: Sequence[Parameters]) -> Weights:
    """Inner products of all pairs, shape (n, n)."""
    cosines, norms = gram_of(updates)
    return cosines * np.outer(norms, norms)


def weighted_sum(updates: Sequence[Parameters], weights: Weights) -> Merged:
    """Σ_i weights_i · update_i, in float32 products."""
    row = weights.astype(np.float32)
    return _assemble(updates, (row @ block for block in blocks(updates)))


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
    ordered = _sorted_columns(updates, mixing)
    return _assemble(updates, (columns[:, faulty : count - faulty].mean(axis=1) for columns in ordered))


def median(updates: Sequence[Parameters], mixing: Weights | None = None) -> Merged:
    """Per parameter, the median: the mean of the two middle values where their number is even. Source: Yin et al. (ICML 2018)."""
    count = _checked(len(updates), 0)
    middle = slice((count - 1) // 2, count // 2 + 1)
    return _assemble(updates, (columns[:, middle].mean(axis=1) for columns in _sorted_columns(updates, mixing)))


def _sorted_columns(updates: Sequence[Parameters], mixing: Weights | None) -> Iterator[NDArray[np.float32]]:
    mixer = None if mixing is None else mixing.astype(np.float32)
    for block in blocks(updates, _COLUMNS):
        columns = np.ascontiguousarray((block if mixer is None else mixer @ block).T)
        columns.sort(axis=1)
        yield columns


def _assemble(updates: Sequence[Parameters], parts: Iterator[NDArray[np.float32]]) -> Merged:
    """The named tensors of a merge whose values come block by block, as `blocks` cuts them."""
    merged: Merged = {}
    for name, like in updates[0].items():
        flat = np.empty(like.size, np.float32)
        at = 0
        while at < like.size:
            part = next(parts)
            flat[at : at + len(part)] = part
            at += len(part)
        merged[name] = flat.reshape(like.shape)
    return merged


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
