"""Rounds too large to enumerate, each in a process of its own, whose memory can be seen."""

import json
import resource
import subprocess
import sys
from typing import Any

import numpy as np

from aggregator.evaluation.contributions.estimate import Estimate
from aggregator.evaluation.contributions.estimators import krige
from aggregator.evaluation.contributions.game import HERE, Resources
from aggregator.evaluation.contributions.method import first_design
from bench.contributions.curves import design_seed, per_sample
from bench.contributions.oracle import PlainLoop, relative_error
from bench.contributions.published import Counted, Utilities, leverage_shap
from bench.contributions.rounds import MLP200, WIDE20, play
from bench.timing import cpu_seconds
from learning.evaluator import SCORE_UNIT

MEMORY = 256 << 20
SETTINGS = {"n200": MLP200, "wide": WIDE20}
_REFERENCE = {"n200": 16_000, "wide": 800}
_METRIC = "log-likelihood"


def measure(name: str, seed: int) -> Any:
    """Run one of `SETTINGS` in a process of its own; its figures, ready for JSON."""
    command = [sys.executable, "-m", "bench.contributions.large", name, str(seed)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def _figures(name: str, seed: int) -> dict[str, float]:
    setting = SETTINGS[name]
    played = play(setting, seed)
    loop = PlainLoop(played)
    plain = cpu_seconds(lambda: [loop.utility((1 << setting.nodes) - 1 - one, _METRIC) for one in range(4)]) / 4
    before = _peak()
    evaluations = first_design(setting.nodes)
    found: list[Estimate] = []

    def once() -> None:
        game = played.game(_METRIC, resources=Resources(HERE.executor, MEMORY))
        kriged = krige(game, evaluations, design_seed(seed))
        assert isinstance(kriged, Estimate)
        found.append(kriged)

    cpu = cpu_seconds(once)
    grown = _peak() - before
    samples, game = len(played.evaluation), played.game(_METRIC)
    half = _REFERENCE[name] // 2
    utilities = Utilities(lambda coalitions: [worth.utility / (SCORE_UNIT * samples) for worth in game.play(coalitions)])
    halves = []
    for k in (0, 1):
        halves.append(leverage_shap(Counted(utilities, setting.nodes, half), np.random.RandomState(k), half).values)
    truth = (halves[0] + halves[1]) / 2
    (estimate,) = found
    return {
        "evaluations": estimate.stages[-1].evaluations,
        "error": relative_error(per_sample(estimate, estimate.contributions, samples), truth),
        "reference_error": float(np.linalg.norm(halves[0] - halves[1]) / 2 / np.linalg.norm(truth)),
        "cpu": cpu,
        "plain_cpu": plain,
        "grown": grown / (1 << 20),
        "updates": 4 * setting.nodes * sum(array.size for array in played.base.values()) / (1 << 20),
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(json.dumps(_figures(sys.argv[1], int(sys.argv[2]))))
