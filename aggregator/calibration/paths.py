"""What the gate measured about every node of simulated federations, round after round, and what each node did in truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.federation import Federation, divide, draw_malicious, simulate
from learning.data import Data

HONEST = "none"
"""The name of no attack."""

_ALWAYS = 10**9
"""Nats below the threshold at which the dear check is made: never reached."""

LEFT_OUT = ("nan-inf", "dropout")
"""Attacks without statistics: nothing finite ever comes, and no weight can be learned from it."""


@dataclass(frozen=True)
class Scenario:
    """One federation to simulate: `alpha` of Dirichlet's label skew (None: IID), the malicious `share`, and a seed."""

    attack: str
    alpha: float | None
    share: float
    seed: int


@dataclass(frozen=True, eq=False)
class Path:
    """One node through one simulated federation. Rounds in which it sent nothing that can be measured are missing.

    `statistics`: (rounds, k) as the evidence publishes them; `attacking`: (rounds,), whether it did harm or cheated.
    """

    scenario: Scenario
    malicious: bool
    statistics: NDArray[np.int64]
    attacking: NDArray[np.bool_]


def scenarios(attacks: Sequence[str], federations: int, first_seed: int) -> list[Scenario]:
    """`federations` under every attack and as many honest ones for each skew, every one with a seed of its own. IID, moderate and
    strong skew, and a malicious share of 30 %, 10 % and 20 %, take turns.
    """
    skews, shares = (0.3, None, 0.1), (0.3, 0.1, 0.2)
    wanted = [(HONEST, skew, 0.0) for skew in skews] * federations
    for number, attack in enumerate(attacks):
        wanted += [(attack, skews[(number + k) % 3], shares[(number + k) // 3 % 3]) for k in range(federations)]
    return [Scenario(*settings, first_seed + position) for position, settings in enumerate(wanted)]


def walk(federation: Federation, scenario: Scenario, rounds: int, on_round: Callable[[int], None] = lambda _: None) -> list[Path]:
    """Simulate the scenario; the paths of all nodes that were ever measured. `on_round` is told of every round that is done."""
    nodes = len(federation.nodes)
    malicious = draw_malicious(nodes, scenario.share, scenario.seed)
    measured: list[list[tuple[int, ...]]] = [[] for _ in range(nodes)]
    attacking: list[list[bool]] = [[] for _ in range(nodes)]
    for one in simulate(federation, ATTACKS.get(scenario.attack), malicious, rounds, scenario.seed):
        for node, values in one.outcome.measured.statistics.items():
            measured[node].append(values)
            attacking[node].append(node in one.attacking)
        on_round(one.number)
    return [
        Path(scenario, node in malicious, np.array(measured[node], np.int64), np.array(attacking[node]))
        for node in range(nodes)
        if measured[node]
    ]


def cheaply(federation: Federation) -> Federation:
    """The same, its gate measuring every statistic of everybody, and its pay estimated as roughly as can be."""
    config = federation.config
    gate = config.gate.model_copy(update={"grey": _ALWAYS})
    pay = config.contributions.model_copy(update={"work": 1})
    return replace(federation, config=config.model_copy(update={"gate": gate, "contributions": pay}))


def small_federation(own: Federation, scenario: Scenario, nodes: int) -> Federation:
    """A federation made of the aggregator's own data alone: two thirds of its evaluation samples become the data of `nodes`
    simulated nodes, the last third evaluates; the root set stays what it is.

    Raises `DataError` if there is not one sample for each node.
    """
    joined = Data(*(torch.cat([getattr(shard, part) for shard in own.shards]) for part in ("features", "targets")))
    samples = np.random.RandomState(scenario.seed).permutation(len(joined))
    pool, rest = np.split(samples, [2 * len(samples) // 3])
    minimum = max(1, min(8, len(pool) // (2 * nodes)))
    parts = divide(joined.take(pool), nodes, scenario.alpha, scenario.seed, minimum)
    return replace(own, nodes=parts, shards=(joined.take(rest),))
