"""Error against evaluations on one round: ours and the published estimators, on the same utilities, in the same run."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.contributions.estimate import Estimate
from aggregator.evaluation.contributions.estimators import krige, leverage
from bench.contributions import samplers
from bench.contributions.oracle import PlainLoop, enumerate_utilities, exact_shapley, relative_error
from bench.contributions.published import (
    Counted,
    Found,
    Utilities,
    antithetic_permutations,
    gtg_shapley,
    kernel_shap,
    leverage_shap,
    permutations,
)
from bench.contributions.rounds import Played, Setting, play
from bench.peers import peer
from bench.timing import cpu_seconds
from learning.evaluator import SCORE_UNIT

Vector = NDArray[np.float64]

ENUMERATED = 16
"""Up to so many players the truth is exact."""


class Effort(NamedTuple):
    """How often and how long is measured: design seeds of each estimator, splits of the images, evaluations of a reference."""

    repeats: int
    splits: int
    reference: int


FULL = Effort(repeats=2, splits=3, reference=16_000)
"""A reference's evaluations are two halves, drawn independently, whose mean it is."""

QUICK = Effort(repeats=1, splits=1, reference=4_000)


# 10^-3 of the metric's own unit; a log-likelihood clipped at 8 nats is divided by 8 to lie in [0, 1].
_GTG_THRESHOLD = {"log-likelihood": 1e-3 / 8, "soft accuracy": 1e-3}


def measure(setting: Setting, seed: int, metric: str, own: Sequence[int], peers: Sequence[int], effort: Effort) -> Any:
    """All figures of one round under one metric, ready for JSON: `curves` of [evaluations, relative error], and others.

    `own` and `peers` are the budgets of distinct evaluations.
    """
    played = play(setting, seed)
    loop = PlainLoop(played)
    some = np.random.RandomState(seed).randint(0, 1 << min(setting.nodes, 30), 16).tolist()
    plain = cpu_seconds(lambda: [loop.utility(one, metric) for one in some]) / len(some)
    if setting.nodes <= ENUMERATED:
        table = enumerate_utilities(played, metric)
        utilities, truth, doubt = Utilities(lambda coalitions: table[list(coalitions)].tolist()), exact_shapley(table), 0.0
    else:
        utilities = Utilities(_evaluated(played, metric))
        truth, doubt = _reference(utilities, setting.nodes, effort.reference, seed)
    figures = _ours(played, metric, truth, own, effort)
    figures["curves"] |= _theirs(utilities, metric, truth, peers, effort.repeats if setting.nodes <= ENUMERATED else 1)
    print(f"  {setting.name}, seed {seed}, {metric}: {figures['curves']['fairshare']}", flush=True)
    return figures | {"plain_cpu": plain, "reference_error": doubt}


def per_sample(estimate: Estimate, numerators: Sequence[int], samples: int) -> Vector:
    """Contributions or errors as the mean score per sample."""
    return np.array([value / (estimate.denominator * SCORE_UNIT * samples) for value in numerators])


def design_seed(number: int) -> bytes:
    """A round's seed, 32 bytes."""
    return hashlib.sha256(f"bench {number}".encode()).digest()


def _ours(played: Played, metric: str, truth: Vector, budgets: Sequence[int], effort: Effort) -> dict[str, Any]:
    curve, fallback, cpu, surprise = [], [], [], []
    samples = len(played.evaluation)
    for budget in budgets:
        for repeat in range(effort.repeats):
            estimates: list[Estimate] = []

            def once(budget: int = budget, repeat: int = repeat, into: list[Estimate] = estimates) -> None:
                kriged = krige(played.game(metric), budget, design_seed(repeat))
                assert isinstance(kriged, Estimate)
                into.append(kriged)

            cpu.append([budget, cpu_seconds(once)])
            (estimate,) = estimates
            values = per_sample(estimate, estimate.contributions, samples)
            curve.append([estimate.stages[-1].evaluations, relative_error(values, truth)])
            estimated = per_sample(estimate, estimate.estimation_errors, samples)
            surprise += [
                ((value - true) / error) ** 2 for value, true, error in zip(values, truth, estimated, strict=True) if error
            ]
            plain = leverage(played.game(metric), budget, design_seed(repeat))
            error = relative_error(per_sample(plain, plain.contributions, samples), truth)
            fallback.append([plain.stages[-1].evaluations, error])
    return {
        "curves": {"fairshare": _mean(curve), "fairshare, fallback": _mean(fallback)},
        "cpu": _mean(cpu),
        "z_estimation": float(np.sqrt(np.mean(surprise))) if surprise else 0.0,
        "z_sampling": [one for split in range(effort.splits) for one in _z(played, metric, budgets[0], split)],
    }


def _z(played: Played, metric: str, budget: int, split: int) -> list[float]:
    """Deviation of each contribution from that on disjoint samples, in standard errors of the difference."""
    sides = []
    for data in played.split(split):
        estimate = krige(played.game(metric, data), budget, design_seed(0))
        assert isinstance(estimate, Estimate)
        sides.append(
            (per_sample(estimate, estimate.contributions, len(data)), per_sample(estimate, estimate.sampling_errors, len(data)))
        )
    (one, one_error), (other, other_error) = sides
    error = np.hypot(one_error, other_error)
    deviations: list[float] = ((one - other)[error > 0] / error[error > 0]).tolist()
    return deviations


def _theirs(utilities: Utilities, metric: str, truth: Vector, budgets: Sequence[int], repeats: int) -> dict[str, Any]:
    players, threshold = len(truth), _GTG_THRESHOLD[metric]
    methods: dict[str, Callable[[Counted, np.random.RandomState, int], Found]] = {
        "permutations": lambda counted, random, _: permutations(counted, random),
        "antithetic permutations": lambda counted, random, _: antithetic_permutations(counted, random),
        "GTG-Shapley": lambda counted, random, _: gtg_shapley(counted, random, threshold),
        "KernelSHAP": lambda counted, random, _: kernel_shap(counted, random),
        "Leverage SHAP": leverage_shap,
    }
    curves = {}
    for name, method in methods.items():
        runs = []
        for budget in budgets:
            for repeat in range(repeats):
                result = method(Counted(utilities, players, budget), np.random.RandomState(repeat), budget)
                runs.append([result.evaluations, relative_error(result.values, truth), budget])
        curves[name] = _by_budget(runs)
    if players <= ENUMERATED:
        stopped = [
            gtg_shapley(Counted(utilities, players, 1 << players), np.random.RandomState(repeat), threshold, stops=True)
            for repeat in range(repeats)
        ]
        curves["GTG-Shapley, stopped by itself"] = [
            [
                float(np.mean([result.evaluations for result in stopped])),
                float(np.mean([relative_error(result.values, truth) for result in stopped])),
            ]
        ]
    with peer(samplers.SIDE) as side:
        for sampler in samplers.SAMPLERS:
            runs = []
            for repeat in range(repeats):
                for result, budget in zip(
                    samplers.pydvl(side, sampler, utilities, players, budgets, repeat), budgets, strict=False
                ):
                    runs.append([result.evaluations, relative_error(result.values, truth), budget])
            curves[f"pyDVL {sampler}"] = _by_budget(runs)
    return curves


def _reference(utilities: Utilities, players: int, evaluations: int, seed: int) -> tuple[Vector, float]:
    """An estimate that takes the truth's place, and its own relative error as its halves show it."""
    half = evaluations // 2
    one, other = (
        leverage_shap(Counted(utilities, players, half), np.random.RandomState(7_000 + 2 * seed + k), half).values for k in (0, 1)
    )
    mean = (one + other) / 2
    return mean, float(np.linalg.norm(one - other) / 2 / np.linalg.norm(mean))


def _evaluated(played: Played, metric: str) -> Callable[[Sequence[int]], Sequence[float]]:
    game, samples = played.game(metric), len(played.evaluation)
    return lambda coalitions: [worth.utility / (SCORE_UNIT * samples) for worth in game.play(coalitions)]


def _mean(pairs: Sequence[Sequence[float]]) -> list[list[float]]:
    """Mean of the second by the first."""
    return [[key, float(np.mean([v for k, v in pairs if k == key]))] for key in sorted({k for k, _ in pairs})]


def _by_budget(runs: Sequence[Sequence[float]]) -> list[list[float]]:
    """Mean evaluations and mean error of each budget, as the budget's point of the curve."""
    return [
        [
            float(np.mean([used for used, _, b in runs if b == budget])),
            float(np.mean([error for _, error, b in runs if b == budget])),
        ]
        for budget in sorted({b for _, _, b in runs})
    ]


def needed(curve: Sequence[Sequence[float]], error: float) -> tuple[float, bool]:
    """Evaluations at which a falling curve reaches `error`, between its points on log scales; the last ones if it never does.

    Whether it does is the second value.

    >>> needed([[10, 0.1], [1000, 0.001]], 0.01)
    (100.0, True)
    """
    for (x0, y0), (x1, y1) in pairwise(curve):
        if y1 <= error < y0:
            part = (np.log(y0) - np.log(error)) / (np.log(y0) - np.log(max(y1, 1e-12)))
            return round(float(np.exp(np.log(x0) + part * (np.log(x1) - np.log(x0)))), 6), True
    if curve[0][1] <= error:
        return float(curve[0][0]), True
    return float(curve[-1][0]), False
