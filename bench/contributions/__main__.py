"""Measure everything, print the table, write bench/out/contributions.json and the plot bench/out/contributions.svg."""

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import QUICK, peers, report
from bench.contributions import curves, large, laws, speed
from bench.contributions.rounds import CNN10, METRICS, MLP10, MLP16, MLP100, Setting
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, publish, row
from protocol.files import write_durably

SEEDS = (0,) if QUICK else (0, 1, 2)
VERSION = source_hash("bench/contributions", "aggregator/evaluation/contributions", "learning")


class Case(NamedTuple):
    """A round with the budgets it is measured at: ours with their goals, and the peers'."""

    setting: Setting
    goals: dict[int, float | None]
    peers: tuple[int, ...]
    equal: int
    """Our budget whose error the peers have to reach."""
    metrics: tuple[str, ...] = tuple(METRICS)


CASES = (
    Case(MLP10, {34: 0.01, 64: 0.003, 104: None}, (34, 64, 104, 204, 404, 804), 34),
    Case(CNN10._replace(samples=300) if QUICK else CNN10, {34: None, 64: 0.005, 104: None}, (34, 64, 104, 204, 404, 804), 64),
    *([] if QUICK else [Case(MLP16, {65: 0.005, 117: None}, (65, 117, 304, 1004, 3004), 65)]),
    Case(MLP100, {300: 0.005, 600: None}, (300, 1200, 2700), 300, tuple(METRICS)[:1] if QUICK else tuple(METRICS)),
)


def main() -> None:
    """Run what has not been run yet, one seed after the other, and report after each on all that there is."""
    for count in range(1, len(SEEDS) + 1):
        _report(SEEDS[:count])


def _report(seeds: tuple[int, ...]) -> None:
    rows: list[Row] = []
    panels: list[dict[str, Any]] = []
    for case in CASES:
        for metric in case.metrics:
            found = [_piece(f"{case.setting.name} {metric} seed={seed}", partial(_measure, case, seed, metric)) for seed in seeds]
            mean = _mean_curves([one["curves"] for one in found])
            panels.append({"case": case.setting.name, "metric": metric, "curves": mean})
            rows += _accuracy(case, metric, found, mean) + _equal_error(case, metric, found, mean)
            rows += _calibration(case, metric, found)
    rows += _splits(seeds)
    if not QUICK:
        for name, setting in large.SETTINGS.items():
            rows += _large(setting, [_piece(f"{name} seed={seed}", partial(large.measure, name, seed)) for seed in seeds])
    rows += [Row(**one) for one in _piece("speed", lambda: [one.__dict__ for one in speed.rows(3 if QUICK else 7, QUICK)])]
    publish("contributions", rows)
    told = report.OUT / "contributions-curves.json"
    write_durably(told, json.dumps(panels).encode())
    peers.run(Path(__file__).parent / "plot_side.py", str(told), str(report.OUT / "contributions.svg"))


def _piece(name: str, measure: Any) -> Any:
    return piece(f"contributions {'quick ' if QUICK else ''}{name}", VERSION, measure)


def _measure(case: Case, seed: int, metric: str) -> Any:
    effort = curves.QUICK if QUICK else curves.FULL
    return curves.measure(case.setting, seed, metric, tuple(case.goals), case.peers, effort)


def _mean_curves(runs: list[dict[str, list[list[float]]]]) -> dict[str, list[list[float]]]:
    """Point by point over the seeds; a point that some seed does not have is left out."""
    means = {}
    for name in runs[0]:
        length = min(len(run[name]) for run in runs)
        if length:
            means[name] = np.mean([run[name][:length] for run in runs], axis=0).tolist()
    return means


def _accuracy(case: Case, metric: str, found: list[Any], mean: dict[str, list[list[float]]]) -> list[Row]:
    doubt = float(np.mean([one["reference_error"] for one in found]))
    rows = []
    for k, (budget, goal) in enumerate(sorted(case.goals.items())):
        evaluations, error = mean["fairshare"][k]
        theirs, best = min((_at(curve, evaluations), name) for name, curve in mean.items() if _is_peer(name))
        name = f"relative L2 error at {budget} evaluations, {metric}"
        rows.append(row(case.setting.name, name, 100 * error, "%", None, f"best: {best}", 100 * theirs))
        if goal:
            worst = max(one["curves"]["fairshare"][k][1] for one in found)
            rows.append(
                row(case.setting.name, f"{name}, worst of {len(found)} seeds", 100 * worst, "%", Goal(at_most=100 * goal))
            )
    if doubt:
        rows.append(row(case.setting.name, f"relative error of the reference itself, {metric}", 100 * doubt, "%"))
    if stopped := mean.get("GTG-Shapley, stopped by itself"):
        rows.append(row(case.setting.name, f"GTG-Shapley's own stop: evaluations, {metric}", stopped[0][0], "evaluations"))
        rows.append(row(case.setting.name, f"GTG-Shapley's own stop: error, {metric}", 100 * stopped[0][1], "%"))
    return rows


def _is_peer(name: str) -> bool:
    return not name.startswith("fairshare") and "stopped" not in name


def _at(curve: list[list[float]], evaluations: float) -> float:
    """A peer's error at the first of its points with at least nine tenths of so many evaluations: it may use a few less."""
    return next((error for used, error in curve if used >= 0.9 * evaluations), curve[-1][1])


def _equal_error(case: Case, metric: str, found: list[Any], mean: dict[str, list[list[float]]]) -> list[Row]:
    """How many evaluations, and how much CPU, the peers need for the error that we have at one of our budgets."""
    own, error = next((used, error) for used, error in mean["fairshare"] if used >= case.equal * 0.9)
    library = {name: curves.needed(curve, error) for name, curve in mean.items() if name.startswith("pyDVL")}
    best = min(library, key=lambda name: (not library[name][1], library[name][0]))
    cpu = float(np.mean([one["cpu"][sorted(case.goals).index(case.equal)][1] for one in found]))
    plain = float(np.mean([one["plain_cpu"] for one in found]))
    rows = []
    others = {name: curves.needed(mean[name], error) for name in ("GTG-Shapley", "KernelSHAP", "Leverage SHAP")}
    for name, (evaluations, reached) in {best: library[best], **others}.items():
        goal = Goal(at_least=8, of_ratio=True) if name in (best, "GTG-Shapley") else None
        label = f"evaluations to an error of {100 * error:.2g} %, {metric}" + (
            "" if reached else " (peer: not reached, lower bound)"
        )
        rows.append(row(case.setting.name, label, own, "evaluations", goal, name, evaluations))
        rows.append(row(case.setting.name, label.replace("evaluations to", "CPU to"), cpu, "s", None, name, evaluations * plain))
    return rows


def _calibration(case: Case, metric: str, found: list[Any]) -> list[Row]:
    deviations = [one for run in found for one in run["z_sampling"]]
    z = float(np.sqrt(np.mean(np.square(deviations))))
    estimation = float(np.sqrt(np.mean([run["z_estimation"] ** 2 for run in found])))
    return [
        row(case.setting.name, f"sampling errors against disjoint samples, z-rms, {metric}", z, "", Goal(0.7, 1.3)),
        row(case.setting.name, f"estimation errors against the truth, z-rms, {metric}", estimation, ""),
    ]


def _splits(seeds: tuple[int, ...]) -> list[Row]:
    setting = MLP10._replace(samples=500) if QUICK else MLP10
    found = [_piece(f"split seed={seed}", partial(laws.measure, setting, seed, 1 if QUICK else 3)) for seed in seeds]
    label = "largest change of a node's total by splitting into 2 or 3"
    return [
        row(setting.name, f"{label}, {metric}", 100 * max(one for run in found for one in run[metric]), "%", Goal(at_most=2))
        for metric in METRICS
    ]


def _large(setting: Setting, found: list[Any]) -> list[Row]:
    mean = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    case, evaluations = setting.name, int(mean["evaluations"])
    plain = mean["plain_cpu"] * evaluations
    return [
        row(case, f"relative L2 error at {evaluations} evaluations, log-likelihood", 100 * mean["error"], "%"),
        row(case, "relative error of the reference itself", 100 * mean["reference_error"], "%"),
        row(
            case,
            f"CPU of {evaluations} evaluations and the estimate",
            mean["cpu"],
            "s",
            None,
            "load-state-dict-and-forward",
            plain,
        ),
        row(case, f"growth of peak memory (updates: {mean['updates']:.0f} MiB; setting: 256 MiB)", mean["grown"], "MiB"),
    ]


if __name__ == "__main__":
    main()
