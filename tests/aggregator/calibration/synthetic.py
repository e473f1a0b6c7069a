"""Paths whose truth is known: honest statistics are standard normal, attackers' are shifted by so many deviations in some."""

from collections.abc import Mapping

import numpy as np

from aggregator.calibration.paths import Path, Scenario
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, Statistic

STANDARDISED = (
    Statistic.SIZE,
    Statistic.CONE,
    Statistic.AFFINE,
    Statistic.FIT,
    Statistic.REPLAY,
    Statistic.UTILITY,
    Statistic.OWN_CLASSES,
    Statistic.ENERGY,
)


def path(attack: str, seed: int, node: int, shifts: Mapping[Statistic, float], rounds: int = 8) -> Path:
    """One node's; it attacks if there are shifts."""
    random = np.random.default_rng([seed, node, len(attack)])
    values = np.zeros((rounds, len(Statistic)))
    values[:, Statistic.NORM] = values[:, Statistic.REFERENCE] = 1
    for statistic in STANDARDISED:
        values[:, statistic] = random.normal(shifts.get(statistic, 0), 1, rounds)
    integers = np.rint(values * STATISTIC_UNIT).astype(np.int64)
    return Path(Scenario(attack, None, 0.3, seed), bool(shifts), integers, np.full(rounds, bool(shifts)))


def federations(attacks: Mapping[str, Mapping[Statistic, float]], count: int = 2, honest: int = 40) -> list[Path]:
    """`count` federations under each attack, with so many honest nodes and ten attackers."""
    return [
        path(attack, seed, node, shifts if node < 10 else {})
        for attack, shifts in attacks.items()
        for seed in range(count)
        for node in range(10 + honest)
    ]
