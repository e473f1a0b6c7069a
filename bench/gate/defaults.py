"""`make gate-defaults`: the weights and thresholds that `fairshare aggregator init` writes, and what can be expected of them.

Fitted on federations of the benchmark's kind with other seeds. Printed; `--write` puts them into aggregator/template.py.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import numpy as np
import torch
from rich.progress import track

from aggregator.calibration.calibrate import with_gate
from aggregator.calibration.expectation import expect
from aggregator.calibration.fit import fit
from aggregator.calibration.paths import LEFT_OUT, Path, Scenario, cheaply, scenarios, walk
from aggregator.simulation.attacks import ATTACKS
from bench.gate.cells import config, federation
from bench.pieces import piece, source_hash

_FIRST_SEED = 100
"""Far from the benchmark's seeds: other samples, other nodes, other initial weights."""

_TASKS = {"fashion-mlp": 1}
"""Federations of each task under each attack."""

_ROUNDS = 6
_TEMPLATE = File(__file__).parents[2] / "aggregator" / "template.py"
_GATE = re.compile(r"(?s)(?m)(^\[gate\].*?)(?=^\[contributions\])")


def main(arguments: list[str]) -> None:
    """Simulate what is not simulated yet, fit, judge, print; `--write` edits the template."""
    torch.set_num_threads(1)
    attacks = [attack for attack in ATTACKS if attack not in LEFT_OUT]
    plan = [(task, scenario) for task, count in _TASKS.items() for scenario in scenarios(attacks, count, _FIRST_SEED)]
    paths = [path for task, scenario in track(plan, "simulating") for path in _paths(task, scenario)]
    gate = config().gate
    fitted, expected = fit(paths, gate), expect(paths, gate)
    for key, value in fitted.model_dump().items():
        print(key, value)
    for attack, rate in sorted(expected.detection.items(), key=lambda item: item[1].value):
        print(f"{attack:20} {rate.value:.3f} {rate.interval()}")
    print("mean detection", expected.mean_detection, "false alarms", expected.false_alarms, expected.false_alarms.value)
    print("honest nodes expelled", expected.expelled)
    if "--write" in arguments:
        before, section, after = _GATE.split(_TEMPLATE.read_text(), maxsplit=1)
        _TEMPLATE.write_text(before + with_gate(section, fitted) + after)


def _paths(task: str, scenario: Scenario) -> Iterator[Path]:
    name = f"defaults={task}={scenario.attack}={scenario.alpha}={scenario.share}={scenario.seed}"
    version = source_hash("aggregator/simulation", "aggregator/evaluation/gate", "bench/gate/cells.py")
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
