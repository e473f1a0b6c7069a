"""What an attack is: what malicious nodes train on, and what they send instead of what they trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aggregator.simulation.vectors import Vector
from learning.data import Data

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """What malicious nodes know when they write their updates: everything (an omniscient, colluding adversary).

    `round` counts from 1. `own` (m, d): what the m malicious nodes trained, on data that the attack may have poisoned;
    `honest` (h, d): what all honest nodes will send; `previous` (d,): the parent's merged model minus its base, None in the
    first round; `refused`: positions among the malicious nodes whose last update was not paid. A commitment hides an update
    until all are committed, so a real attacker knows less; the stronger one is simulated.
    """

    round: int
    own: Rows
    honest: Rows
    previous: Vector | None
    refused: frozenset[int]
    random: np.random.Generator

    @property
    def malicious(self) -> int:
        """How many nodes collude."""
        return len(self.own)

    @property
    def mean(self) -> Vector:
        """The mean of the honest updates, or of what the malicious trained where nobody is honest, shape (d,)."""
        return np.asarray(self._known.mean(0), np.float32)

    @property
    def spread(self) -> Vector:
        """The coordinate-wise standard deviation of the same, shape (d,)."""
        return np.asarray(self._known.std(0), np.float32)

    @property
    def norm(self) -> float:
        """The median L2 norm of the same."""
        return float(np.median(np.linalg.norm(self._known.astype(np.float64), axis=1)))

    @property
    def _known(self) -> Rows:
        return self.honest if len(self.honest) else self.own


Sent = Sequence[Vector | None]
"""One update per malicious node, in order; None for a node whose body never comes."""


def as_trained(view: View) -> Sent:
    """Send what was trained: the attack, if there is one, is in the data."""
    return list(view.own)


def untouched(data: Data, classes: int, random: np.random.Generator) -> Data:
    """Train on the node's own data as it is."""
    return data


def always(view: View) -> frozenset[int]:
    """Every malicious node attacks in every round."""
    return frozenset(range(view.malicious))


@dataclass(frozen=True)
class Attack:
    """One attack. `source` names the paper.

    `poison(data, classes, random)`: what a malicious node trains on instead of its data; `classes` is 0 for a task without.
    `send`: what the malicious nodes hand in. `attacking`: the positions of those that do harm or cheat in this round; the others
    behave, so that a gate that accepts them is right. `backdoor`: whether it plants the trigger of `attacks.data`.
    """

    name: str
    source: str
    send: Callable[[View], Sent] = as_trained
    poison: Callable[[Data, int, np.random.Generator], Data] = untouched
    attacking: Callable[[View], frozenset[int]] = always
    backdoor: bool = False
