"""What owner 0 may try against the pay rule, each with the most that its owners may get, as a multiple of honest pay."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from aggregator.simulation.federation import divide
from bench.adversaries.game import OWNERS, Identity, View, World, honest, with_owner
from bench.adversaries.rules import MEMORY
from learning.data import Data


@dataclass(frozen=True)
class Cheat:
    """`owners` share the profit; `bound` is on their pay as a multiple of what they get when all are honest.

    `shards`: how many the evaluation data is cut into. `rules`: played under these, besides the usual ones.
    """

    name: str
    make: Callable[[World], list[Identity]]
    bound: float
    owners: tuple[int, ...] = (0,)
    shards: int = 1
    rules: tuple[str, ...] = ()


def _alone(send: Callable[[np.ndarray, View], np.ndarray], declared: float = 1.0) -> Callable[[World], list[Identity]]:
    def make(world: World) -> list[Identity]:
        data = world.data[0]
        return with_owner(world, [Identity(0, data, round(declared * len(data)), send)])

    return make


def _split_equal(parts: int, noise: float) -> Callable[[World], list[Identity]]:
    def make(world: World) -> list[Identity]:
        data = world.data[0]
        first = Identity(0, data, len(data) // parts)
        copies = [
            Identity(0, data, len(data) // parts, lambda own, view: own + view.noise(own, noise), trains_as=0)
            for _ in range(parts - 1)
        ]
        return with_owner(world, [first, *copies])

    return make


def _split_different(parts: int, longer: int) -> Callable[[World], list[Identity]]:
    def make(world: World) -> list[Identity]:
        divided = divide(world.data[0], parts, None, world.seed)
        return with_owner(world, [Identity(0, part, len(part), longer=longer) for part in divided])

    return make


def _longer(times: int) -> Callable[[World], list[Identity]]:
    return lambda world: with_owner(world, [Identity(0, world.data[0], len(world.data[0]), longer=times)])


def _harm_and_repair(world: World) -> list[Identity]:
    mine, partner = world.data[0], world.data[1]
    ratio = np.float32(len(mine) / len(partner))
    harm = Identity(0, mine, len(mine), lambda own, view: -3 * own)
    repair = Identity(1, partner, len(partner), lambda own, view: own + 4 * ratio * view.trained[0])
    return with_owner(world, [harm], {1: repair})


def _with_a_shard(world: World) -> list[Identity]:
    mine, leaked = world.data[0], world.shards[0]
    both = Data(torch.cat([mine.features, leaked.features]), torch.cat([mine.targets, leaked.targets]))
    return with_owner(world, [Identity(0, both, len(mine))])


def _copies(copier: int, victim: int, noise: float) -> Callable[[World], list[Identity]]:
    """The victim's update of this round, which is known to the copier before it commits: as no body is, unless it leaks."""

    def make(world: World) -> list[Identity]:
        data = world.data[copier]
        copying = Identity(copier, data, len(data), lambda own, view: view.trained[victim] + view.noise(own, noise))
        return [copying if one.owner == copier else one for one in honest(world)]

    return make


def _stale(noise: float) -> Callable[[World], list[Identity]]:
    return _alone(lambda own, view: view.before[1] + view.noise(view.before[1], noise))


def _replayed(own: np.ndarray, view: View) -> np.ndarray:
    return view.noise(own, 1.0) if view.step is None else np.asarray(view.step, np.float32)


LAST = OWNERS - 1

CHEATS = (
    Cheat("free rider: zeros", _alone(lambda own, view: np.zeros_like(own)), 0.0),
    Cheat("free rider: noise of the honest norm", _alone(lambda own, view: view.noise(own, 1.0)), 0.5),
    Cheat("free rider: the last global step", _alone(_replayed), 1.0),
    Cheat(
        "copier, if bodies leak: a victim's of the round before", _alone(lambda own, view: view.before[1]), 1.0, rules=(MEMORY,)
    ),
    Cheat("copier, if bodies leak: the same under 30 % noise", _stale(0.3), 1.0, rules=(MEMORY,)),
    Cheat("copier, if bodies leak before the close: of a lower index", _copies(LAST, 0, 0.0), 0.0, (LAST,)),
    Cheat("copier, if bodies leak before the close: the same under 5 % noise", _copies(LAST, 0, 0.05), 0.0, (LAST,)),
    Cheat("copier, if bodies leak before the close: of a higher index", _copies(0, LAST, 0.0), 1.0),
    Cheat("… and what is left to that victim", _copies(0, LAST, 0.0), 1.0, (LAST,)),
    Cheat("split into 2 equal parts", _split_equal(2, 0.0), 1.05),
    Cheat("split into 4 equal parts", _split_equal(4, 0.0), 1.05),
    Cheat("split into 4 equal parts under 30 % noise", _split_equal(4, 0.3), 1.05),
    Cheat("split into 2 different parts", _split_different(2, 1), 1.25),
    Cheat("split into 4 different parts, each trained 4 times as long", _split_different(4, 4), 1.25),
    Cheat("trains 4 times as long as the recipe says", _longer(4), 1.5),
    Cheat("amplified x2", _alone(lambda own, view: 2 * own), 1.25),
    Cheat("amplified x4", _alone(lambda own, view: 4 * own), 1.25),
    Cheat("amplified x9", _alone(lambda own, view: 9 * own), 1.25),
    Cheat("harm-and-repair pair", _harm_and_repair, 1.1, (0, 1)),
    Cheat("high variance: honest update under equal noise", _alone(lambda own, view: own + view.noise(own, 1.0)), 1.0),
    Cheat("high variance: honest update under 3 times the noise", _alone(lambda own, view: own + view.noise(own, 3.0)), 1.0),
    Cheat("over-declared samples x2, where the invitation allows it", _alone(lambda own, view: own, 2), 2.2),
    Cheat("over-declared samples x4, where the invitation allows it", _alone(lambda own, view: own, 4), 4.4),
    Cheat("the aggregator's friend trains on the evaluation shard too", _with_a_shard, 1.5),
    Cheat("… on one of 4 private evaluation shards", _with_a_shard, 1.5, shards=4),
)
