"""The gate of an operator who has never met the attack: leave one attack out."""

from functools import cache

from aggregator.calibration.fit import fit
from aggregator.calibration.paths import Path
from bench.gate.cells import config
from bench.gate.defaults import simulated
from protocol.config import GateSection


@cache
def blind_to(attack: str) -> GateSection:
    """Weights and thresholds as `make gate-defaults` fits them, to everything but the federations under `attack`."""
    return fit([path for path in _all() if path.scenario.attack != attack], config().gate)


@cache
def _all() -> list[Path]:
    return simulated(quietly=True)  # the benchmark shows its own progress
