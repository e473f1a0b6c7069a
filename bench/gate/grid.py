"""Which cells are played, and by whom: the headline, its quick version, and the sampled full grid."""

import random
from collections.abc import Iterator

from aggregator.calibration.paths import LEFT_OUT
from aggregator.simulation.attacks import ATTACKS
from bench.gate.cells import Cell
from bench.gate.detectors import BYZFL, DETECTORS
from bench.gate.play import BLIND, GATE, ORACLE

HEADLINE_SEEDS = range(5)
BLIND_SEEDS = range(2)
"""With thresholds fitted without the attack, at Dirichlet 0.3: each attack takes a fit of its own."""
PEER_SEEDS = range(1)
"""Fifteen peers play the gate's first federation, under the quick attacks."""

SKEWS: tuple[float | None, ...] = (None, 0.3)
QUICK = (
    "sign-flip",
    "gaussian-matched",
    "alie-decorrelated",
    "ipm-mild",
    "min-max",
    "label-flip",
    "backdoor",
    "free-rider-replay",
)
LONE = (("backdoor", 0.05), ("free-rider-replay", 0.1))
"""One node with a backdoor, two riders: the gate has no evidence of collusion there."""

FULL_CELLS = 300
_MAJORITY = ("sign-flip", "label-flip", "backdoor", "ipm-mild")
_SUBSET = (*QUICK, "lazy")

Turn = tuple[Cell, str]


def quick() -> Iterator[Turn]:
    """Eight attacks and none, Dirichlet 0.3, one seed; two peers."""
    for attack in ("none", *QUICK):
        cell = Cell("fashion-mlp", 0.3, _share(attack, 0.3), attack, 0)
        yield from ((cell, defence) for defence in (GATE, ORACLE, "FLTrust", "MultiKrum"))


def headline() -> Iterator[Turn]:
    """Every attack and none at 30 % malicious, and lone attackers, IID and Dirichlet 0.3; the gate that has not met the attack;
    then the peers.

    Seed after seed, so that what is done so far is whole.
    """
    for seed in HEADLINE_SEEDS:
        for alpha in SKEWS:
            for attack, share in (("none", 0.0), *((attack, 0.3) for attack in ATTACKS), *LONE):
                cell = Cell("fashion-mlp", alpha, share, attack, seed)
                yield cell, GATE
                yield cell, ORACLE
    for seed in BLIND_SEEDS:
        yield from ((Cell("fashion-mlp", 0.3, 0.3, attack, seed), BLIND) for attack in ATTACKS if attack not in LEFT_OUT)
    for seed in PEER_SEEDS:
        for alpha in reversed(SKEWS):
            for attack in ("none", *QUICK):
                cell = Cell("fashion-mlp", alpha, _share(attack, 0.3), attack, seed)
                yield from ((cell, defence) for defence in (*DETECTORS, *BYZFL))


def full() -> Iterator[Turn]:
    """At most 300 cells: first those that docs/gate.md has a row for, then a fixed random sample of the whole grid."""
    wanted = [Cell("fashion-mlp", 0.3, 0.6, attack, seed) for seed in range(2) for attack in _MAJORITY]
    wanted += [Cell("fashion-mlp", 0.1, 0.0, "none", seed) for seed in range(3)]
    wanted += [Cell("fashion-mlp", 0.1, 0.3, attack, seed) for seed in range(2) for attack in _SUBSET]
    wanted += [Cell("fashion-mlp", 0.05, 0.0, "none", seed) for seed in range(2)]
    wanted += [Cell("fashion-mlp", 0.3, 0.4, attack, seed) for seed in range(2) for attack in _SUBSET]
    wanted += [Cell("fashion-mlp", 0.3, share, "backdoor", 0) for share in (0.1, 0.2, 0.4)]
    wanted += [Cell(task, 0.3, _share(a, 0.3), a, 0) for task in ("fashion-cnn", "breast-cancer") for a in ("none", *_SUBSET)]
    everything = [
        Cell(task, alpha, _share(attack, share), attack, seed)
        for task in ("fashion-mlp", "fashion-cnn", "breast-cancer")
        for alpha in (None, 1.0, 0.3, 0.1, 0.05)
        for share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.6)
        for attack in ATTACKS
        for seed in range(10, 12)
    ]
    random.Random(6).shuffle(everything)  # noqa: S311 - a sample of settings, nothing secret
    cells = list(dict.fromkeys([*wanted, *everything]))[:FULL_CELLS]
    yield from ((cell, defence) for cell in cells for defence in (GATE, ORACLE))


def _share(attack: str, share: float) -> float:
    return 0.0 if attack == "none" else share
