"""The nodes of a simulated federation: the honest train as the recipe says, the malicious do what their attack says."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from aggregator.simulation.attacks.attack import Attack, View
from aggregator.simulation.vectors import Vector, flatten
from learning.data import Data
from learning.recipe import Recipe
from learning.task import Task
from learning.training import train
from protocol.parameters import Parameters


@dataclass(frozen=True)
class Sent:
    """What all nodes hand in, in one round.

    `updates`: by node index, shape (d,), None for a body that never comes. `attacking`: the nodes that do harm or cheat in this
    very round; a malicious node that behaves is not among them.
    """

    updates: Mapping[int, Vector | None]
    attacking: frozenset[int]


class Participants:
    """All nodes of one federation, to be asked for their updates round after round.

    `data` by node index; `malicious` holds the indices under `attack`, none if that is None. The same arguments and calls give
    the same updates.
    """

    def __init__(
        self, task: Task, recipe: Recipe, data: tuple[Data, ...], attack: Attack | None, malicious: frozenset[int], seed: int
    ) -> None:
        if attack is not None and malicious and max(malicious) >= len(data):
            raise ValueError(f"node {max(malicious)} is malicious, but there are only {len(data)} nodes")
        self.task, self.recipe, self.attack, self.seed = task, recipe, attack, seed
        self.malicious = sorted(malicious) if attack is not None else []
        self._classes = class_count(data)
        self.data = tuple(self._poisoned(node, own) if node in self.malicious else own for node, own in enumerate(data))
        self.samples = tuple(len(own) for own in data)

    def updates(self, round_number: int, base: Parameters, previous: Vector | None, refused: frozenset[int]) -> Sent:
        """What is handed in for this round (from 1). `refused`: the nodes that were not paid in the last round.

        Raises as `learning.training.train`.
        """
        trained = [
            flatten(train(self.task, base, own, self.recipe, self._draw("train", round_number, node)))
            for node, own in enumerate(self.data)
        ]
        if self.attack is None or not self.malicious:
            return Sent(dict(enumerate(trained)), frozenset())
        honest = [update for node, update in enumerate(trained) if node not in self.malicious]
        view = View(
            round=round_number,
            own=np.stack([trained[node] for node in self.malicious]),
            honest=np.stack(honest) if honest else np.zeros((0, len(trained[0])), np.float32),
            previous=previous,
            refused=frozenset(k for k, node in enumerate(self.malicious) if node in refused),
            random=np.random.Generator(np.random.PCG64(self._draw("attack", round_number, 0))),
        )
        forged = self.attack.send(view)
        updates: dict[int, Vector | None] = dict(enumerate(trained))
        updates |= dict(zip(self.malicious, forged, strict=True))
        return Sent(updates, frozenset(self.malicious[k] for k in self.attack.attacking(view)))

    def _poisoned(self, node: int, own: Data) -> Data:
        assert self.attack is not None
        return self.attack.poison(own, self._classes, np.random.Generator(np.random.PCG64(self._draw("poison", 0, node))))

    def _draw(self, purpose: str, round_number: int, node: int) -> int:
        digest = hashlib.sha256(f"{self.seed}/{purpose}/{round_number}/{node}".encode()).digest()
        return int.from_bytes(digest[:4])


def class_count(data: tuple[Data, ...]) -> int:
    """One more than the largest class index; 0 if the targets are no class indices."""
    classes = all(own.targets.dtype == torch.int64 and own.targets.ndim == 1 for own in data)
    return 1 + max(int(own.targets.max()) for own in data) if classes else 0
