"""Attacks that forge the update itself, from what honest nodes send."""

from collections.abc import Callable
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from aggregator.simulation.attacks.attack import Attack, Rows, Sent, View
from aggregator.simulation.vectors import Vector

_BISECTIONS = 20


def sign_flip(view: View) -> Sent:
    """The node's own update, turned round."""
    return list(-view.own)


def gaussian(view: View, multiple: float) -> Sent:
    """Independent noise of `multiple` times the honest median norm."""
    noise = view.random.standard_normal(view.own.shape)
    noise *= multiple * view.norm / np.linalg.norm(noise, axis=1, keepdims=True)
    return list(noise.astype(np.float32))


def little_is_enough(view: View, strength: float | None) -> Sent:
    """mean − z · std of the honest updates; without a strength, the paper's z."""
    z = _supporters_quantile(view) if strength is None else strength
    return _all_send(view, view.mean - np.float32(z) * view.spread)


def little_is_enough_decorrelated(view: View, strength: float) -> Sent:
    """The same direction, hidden in noise of the honest spread that each node draws anew, so that no two look alike."""
    noise = view.random.standard_normal(view.own.shape).astype(np.float32)
    return list(view.mean - np.float32(strength) * view.spread + noise * view.spread)


def inner_product(view: View, strength: float) -> Sent:
    """−ε times the honest mean."""
    return _all_send(view, -np.float32(strength) * view.mean)


def min_max(view: View) -> Sent:
    """As far along −std as no honest update is farther away than two honest ones are from each other."""
    limit = _square_distances(view.honest, view.honest).max(initial=0.0)
    return _all_send(view, _farthest(view, lambda squares: bool(squares.max(initial=0.0) <= limit)))


def min_sum(view: View) -> Sent:
    """As far along −std as its square distances to honest updates sum to no more than those of some honest update."""
    limit = _square_distances(view.honest, view.honest).sum(1).max(initial=0.0)
    return _all_send(view, _farthest(view, lambda squares: bool(squares.sum() <= limit)))


def amplify(view: View, factor: float) -> Sent:
    """The node's own honest update, several times over, to look like several times the contribution."""
    return list(np.float32(factor) * view.own)


def harm_and_repair(view: View) -> Sent:
    """In pairs: one plants harm, the other repairs it on top of its own update and earns the repair. An odd one behaves."""
    sent = list(view.own)
    for first in range(0, view.malicious - 1, 2):
        sent[first] = -3 * view.own[first]
        sent[first + 1] = view.own[first + 1] + 3 * view.own[first]
    return sent


def drift(view: View) -> Sent:
    """Each node's own honest update less 0.7 … 1.2 of the honest mean: inside the cloud of skewed nodes, but going nowhere."""
    share = np.linspace(0.7, 1.2, view.malicious, dtype=np.float32)
    return [own - part * view.mean for own, part in zip(view.own, share, strict=True)]


def not_a_number(view: View) -> Sent:
    """NaN from one half of the nodes, infinity from the other."""
    return [np.full_like(own, np.nan if position % 2 == 0 else np.inf) for position, own in enumerate(view.own)]


def _all_send(view: View, vector: Vector) -> Sent:
    return [np.array(vector, np.float32) for _ in range(view.malicious)]


def _supporters_quantile(view: View) -> float:
    # Algorithm 3 of the paper: with this z, enough honest nodes lie farther from the mean than the attackers do.
    nodes = view.malicious + len(view.honest)
    supporters = nodes // 2 + 1 - view.malicious
    share = (nodes - view.malicious - supporters) / max(nodes - view.malicious, 1)
    return NormalDist().inv_cdf(min(max(share, 0.55), 0.99))


def _farthest(view: View, allowed: Callable[[NDArray[np.float64]], bool]) -> Vector:
    """mean − γ · std/‖std‖ with the largest γ found by bisection that `allowed` takes, given its square distances."""
    direction = view.spread.astype(np.float64)
    direction /= max(float(np.linalg.norm(direction)), 1e-12)
    mean = view.mean.astype(np.float64)
    low, high = 0.0, 10 * view.norm
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried = (mean - middle * direction).astype(np.float32)
        squares = _square_distances(tried[None], view.honest)[0]
        low, high = (middle, high) if allowed(squares) else (low, middle)
    return np.asarray(mean - low * direction, np.float32)


def _square_distances(left: Rows, right: Rows) -> NDArray[np.float64]:
    squares = (left.astype(np.float64) ** 2).sum(1)[:, None] + (right.astype(np.float64) ** 2).sum(1)[None]
    return np.asarray(np.maximum(squares - 2 * left.astype(np.float64) @ right.astype(np.float64).T, 0))


ATTACKS = (
    Attack("sign-flip", "Li et al., RSA, AAAI 2019", sign_flip),
    Attack("gaussian-large", "Blanchard et al., Krum, NeurIPS 2017", partial(gaussian, multiple=20.0)),
    Attack("gaussian-matched", "Blanchard et al., Krum, NeurIPS 2017, at the honest norm", partial(gaussian, multiple=1.0)),
    Attack("alie", "Baruch et al., A little is enough, NeurIPS 2019", partial(little_is_enough, strength=None)),
    Attack("alie-strong", "Baruch et al., NeurIPS 2019, z = 1.5", partial(little_is_enough, strength=1.5)),
    Attack(
        "alie-decorrelated",
        "Baruch et al., NeurIPS 2019, with noise against duplicate checks",
        partial(little_is_enough_decorrelated, strength=1.5),
    ),
    Attack("ipm-mild", "Xie et al., Fall of empires, UAI 2019, ε = 0.5", partial(inner_product, strength=0.5)),
    Attack("ipm-strong", "Xie et al., Fall of empires, UAI 2019, ε = 5", partial(inner_product, strength=5.0)),
    Attack("min-max", "Shejwalkar and Houmansadr, NDSS 2021", min_max),
    Attack("min-sum", "Shejwalkar and Houmansadr, NDSS 2021", min_sum),
    Attack("nan-inf", "El Mhamdi et al., The hidden vulnerability, ICML 2018, at its extreme", not_a_number),
    Attack("drift", "adaptive, after Fang et al., USENIX Security 2020", drift),
    Attack("amplify", "Shapley inflation, after Xu and Lyu, arXiv 2011.10464", partial(amplify, factor=4.0)),
    Attack("harm-repair", "Shapley inflation by a colluding pair, arXiv 2509.19921", harm_and_repair),
)
