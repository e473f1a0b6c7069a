"""`make gate-defaults`: the weights and thresholds that `fairshare aggregator init` writes, and what can be expected of them.

Fitted on federations of two tasks with other seeds than the benchmark's, and tried on a third. Statistics are kept as pieces, so
another fit to the same takes seconds. Printed; `--write` puts the result into aggregator/template.py.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

import numpy as np
import torch
from rich.progress import track

from aggregator.calibration.calibrate import with_gate
from aggregator.calibration.expectation import expect, named
from aggregator.calibration.fit import fit
from aggregator.calibration.paths import LEFT_OUT, Path, Scenario, cheaply, scenarios, walk
from aggregator.calibration.rates import Rate, pooled
from aggregator.simulation.attacks import ATTACKS
from bench.gate.cells import config, federation
from bench.pieces import piece, source_hash

_FIRST_SEED = 100
"""Far from the benchmark's seeds: other samples, other nodes, other initial weights."""

TASKS = {"fashion-mlp": 2, "digits": 1}
"""Federations of each task that the fit is made of, under each attack, and as many honest ones for each skew."""

_UNSEEN = {"breast-cancer": 1}
"""The same of a task that the fit does not see: nodes of a dozen patients."""

_ROUNDS = 12
"""As many as the benchmark plays: suspicion grows with the rounds, and so do the honest nodes' extremes."""

_DECIDING = ("fusion.py", "verdict.py", "explanation.py")
_GATE_FILES = sorted((File(__file__).parents[2] / "aggregator/evaluation/gate").glob("*.py"))
MEASURING = (
    "aggregator/simulation",
    "aggregator/evaluation/gram.py",
    "learning/cohort.py",
    "bench/gate/cells.py",
    *(f"aggregator/evaluation/gate/{file.name}" for file in _GATE_FILES if file.name not in _DECIDING),
)
"""What the statistics are measured by. How rounds are decided moves only the models that later ones start from: their statistics
are as good a sample before as after.
"""

_TEMPLATE = File(__file__).parents[2] / "aggregator" / "template.py"
_GATE = re.compile(r"(?s)(?m)(^\[gate\].*?)(?=^\[contributions\])")


def main(arguments: list[str]) -> None:
    """Simulate what is not simulated yet, fit, judge, print; `--write` edits the template."""
    torch.set_num_threads(1)
    paths, unseen = simulated(), simulated(_UNSEEN)
    gate = config().gate
    fitted, expected = fit(paths, gate), expect(paths, gate)
    for key, value in fitted.model_dump().items():
        print(key, value)
    for attack, rate in sorted(expected.detection.items(), key=lambda item: item[1].value):
        print(f"{attack:20} {rate.value:.3f} {rate.interval()}")
    print("mean detection", expected.mean_detection, "false alarms", expected.false_alarms, expected.false_alarms.value)
    print("honest nodes expelled", expected.expelled)
    for skew in (None, 0.3, 0.1):
        honest = [path for path in unseen if not path.malicious and path.scenario.alpha == skew]
        alarms = pooled(Rate(sum(named(path, fitted)), len(path.statistics)) for path in honest)
        print("false alarms on", *_UNSEEN, "IID" if skew is None else f"Dirichlet {skew}", alarms, alarms.value)
    if "--write" in arguments:
        before, section, after = _GATE.split(_TEMPLATE.read_text(), maxsplit=1)
        _TEMPLATE.write_text(before + with_gate(section, fitted) + after)


def simulated(tasks: Mapping[str, int] = TASKS, *, quietly: bool = False) -> list[Path]:
    """What every node of all these federations was measured to be: read from pieces, or simulated. `quietly`: without a bar."""
    attacks = [attack for attack in ATTACKS if attack not in LEFT_OUT]
    plan = [(task, scenario) for task, count in tasks.items() for scenario in scenarios(attacks, count, _FIRST_SEED)]
    return [path for one in track(plan, "simulating", disable=quietly) for path in _paths(*one)]


def _paths(task: str, scenario: Scenario) -> Iterator[Path]:
    name = f"defaults={task}={scenario.attack}={scenario.alpha}={scenario.share}={scenario.seed}"
    version = source_hash(*MEASURING)
    for found in piece(name, version, lambda: _simulated(task, scenario)):
        yield Path(scenario, found["malicious"], np.array(found["statistics"], np.int64), np.array(found["attacking"]))


def _simulated(task: str, scenario: Scenario) -> list[dict[str, Any]]:
    whole = cheaply(federation(task, scenario.alpha, scenario.seed)[0])
    return [
        {"malicious": path.malicious, "statistics": path.statistics.tolist(), "attacking": path.attacking.tolist()}
        for path in walk(whole, scenario, _ROUNDS)
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
