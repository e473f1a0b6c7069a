"""The gate with weights and thresholds that were fitted without one attack. What is measured and what is set by hand stays.

The fit's federations are simulated first, unless `make gate-defaults` has done so.
"""

from functools import cache

from aggregator.calibration.fit import fit
from aggregator.calibration.paths import Path
from bench.gate.cells import config
from bench.gate.defaults import simulated
from protocol.config import GateSection


@cache
def blind_to(attack: str) -> GateSection:
    """As `make gate-defaults` fits it, but to everything except the federations under `attack`."""
    return fit([path for path in _all() if path.scenario.attack != attack], config().gate)


@cache
def _all() -> list[Path]:
    return simulated(quietly=True)  # the benchmark shows its own progress
