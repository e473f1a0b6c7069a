"""Cheating on the work, with other identities, or over time."""

from functools import partial

import numpy as np

from aggregator.simulation.attacks.attack import Attack, Sent, View, always
from aggregator.simulation.attacks.data import flip_labels
from learning.data import Data

_COPY_NOISE = 0.3
_SYBIL_NOISE = 0.01
_LAZY_SHARE = 6
_BETRAYAL = 6
_PERIOD = 5


def zeros(view: View) -> Sent:
    """Nothing."""
    return [np.zeros_like(own) for own in view.own]


def replay(view: View) -> Sent:
    """The parent's global step under a little noise; where there is none yet, noise of the honest norm."""
    previous = view.previous
    if previous is None or not previous.any():
        previous = np.zeros_like(view.own[0])
    scale = view.norm / np.sqrt(view.own.shape[1])
    noise = view.random.standard_normal(view.own.shape).astype(np.float32) * np.float32(0.2 * scale)
    step = previous * np.float32(view.norm / max(float(np.linalg.norm(previous)), 1e-12))
    return list(step + noise)


def copy(view: View, noise: float) -> Sent:
    """One of the colluders trains, the others hand in its update under noise. (Nobody else's can be copied in time.)"""
    scale = float(np.linalg.norm(view.own[0])) / np.sqrt(view.own.shape[1])
    drawn = view.random.standard_normal(view.own.shape).astype(np.float32) * np.float32(noise * scale)
    drawn[0] = 0
    return list(view.own[0] + drawn)


def followers(view: View) -> frozenset[int]:
    """All but the first, who really trains."""
    return frozenset(range(1, view.malicious))


def few_samples(data: Data, classes: int, random: np.random.Generator) -> Data:
    """A sixth of the node's samples."""
    return data.take(np.sort(random.choice(len(data), max(1, len(data) // _LAZY_SHARE), replace=False)))


def stretched(view: View) -> Sent:
    """What little was trained, stretched to the honest norm."""
    norms = np.maximum(np.linalg.norm(view.own, axis=1, keepdims=True), 1e-12)
    return list(view.own * (view.norm / norms).astype(np.float32))


def sybils(view: View) -> Sent:
    """One poisoned training under many names, all but equal."""
    return copy(view, _SYBIL_NOISE)


def on_off(view: View) -> Sent:
    """The sign flip in two rounds of five, honest work in the others."""
    return list(-view.own if _is_on(view) else view.own)


def betray(view: View) -> Sent:
    """Honest until a good name is made, then the sign flip."""
    return list(-view.own if view.round >= _BETRAYAL else view.own)


def probe(view: View) -> Sent:
    """Looks for the gap: subtracts from its own update a share of the honest mean, less by half after a refusal, more by a fifth
    after every round that was paid. Stateless: the share follows from the round and from who was refused last.
    """
    paid = min(1.2, 0.3 * 1.2 ** (view.round - 1))
    return [own - np.float32(paid / 2 if k in view.refused else paid) * view.mean for k, own in enumerate(view.own)]


def silent(view: View) -> Sent:
    """Commits, and never hands the body in."""
    return [None] * view.malicious


def _is_on(view: View) -> bool:
    return view.round % _PERIOD in (2, 4)


def when_on(view: View) -> frozenset[int]:
    """Everybody in the rounds of the attack, nobody in the others."""
    return always(view) if _is_on(view) else frozenset()


def after_betrayal(view: View) -> frozenset[int]:
    """Everybody, from the betrayal on."""
    return always(view) if view.round >= _BETRAYAL else frozenset()


ATTACKS = (
    Attack("mimic", "Karimireddy et al., ICLR 2022", partial(copy, noise=0.0), attacking=followers),
    Attack("free-rider-zero", "Fraboni et al., AISTATS 2021", zeros),
    Attack("free-rider-replay", "Lin et al., Free-riders in federated learning, 2019", replay),
    Attack("free-rider-copy", "Lin et al., 2019", partial(copy, noise=_COPY_NOISE), attacking=followers),
    Attack("lazy", "Fraboni et al., AISTATS 2021, disguised", stretched, few_samples),
    Attack("sybils", "Fung et al., FoolsGold, RAID 2020", sybils, flip_labels),
    Attack("on-off", "Sun et al., Trust evaluation, INFOCOM 2006", on_off, attacking=when_on),
    Attack("gap", "adaptive, after Shejwalkar et al., IEEE S&P 2022", probe),
    Attack("build-up", "on-off attack on reputation, Hoffman et al., ACM CSUR 2009", betray, attacking=after_betrayal),
    Attack("dropout", "no attack: nodes that fail after committing", silent, attacking=lambda view: frozenset()),
)
