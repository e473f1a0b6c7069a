"""CPU time of evaluating coalitions, against the plain loop of load-state-dict-and-forward, in the same run."""

import numpy as np

from aggregator.evaluation.contributions.game import HERE, indicators
from bench.contributions.oracle import PlainLoop
from bench.contributions.rounds import CNN10, METRICS, MLP10, MLP100, Exact, Played, Setting, play
from bench.report import Goal, Row, row
from bench.timing import compare
from learning.coalitions.batched import Batched
from learning.coalitions.choice import choose_evaluator
from learning.coalitions.evaluator import CoalitionEvaluator
from learning.coalitions.graph import trace
from learning.coalitions.mixture import Mixture

_METRIC = "log-likelihood"
_SOME = 64
_PLAIN = "load-state-dict-and-forward"


def rows(repeats: int, quick: bool) -> list[Row]:
    """Every row of the issue about time: medians of `repeats`, taking turns."""
    found = _one_coalition(MLP10, Goal(at_least=12, of_ratio=True), repeats)
    found += _one_coalition(CNN10, Goal(at_least=2, of_ratio=True), repeats)
    if not quick:
        found += _one_coalition(MLP100, None, repeats)
    return found + _all_coalitions(1 if quick else 3) + _integer(MLP10, repeats) + _integer(CNN10, repeats)


def _one_coalition(setting: Setting, goal: Goal | None, repeats: int) -> list[Row]:
    played = play(setting._replace(rounds=0), seed=0)
    loop, evaluator = PlainLoop(played), _evaluator(played)
    coalitions = _some(setting.nodes)
    plain_some = coalitions[:16]
    plain, ours = compare(
        [
            lambda: [loop.utility(one, _METRIC) for one in plain_some],
            lambda: evaluator.evaluate(indicators(coalitions, setting.nodes)),
        ],
        repeats,
    )
    per = 1000 * ours / len(coalitions)
    return [row(setting.name, "one coalition, CPU", per, "ms", goal, _PLAIN, 1000 * plain / len(plain_some))]


def _all_coalitions(repeats: int) -> list[Row]:
    played = play(MLP10._replace(rounds=0), seed=0)
    loop, everything = PlainLoop(played), range(1 << MLP10.nodes)
    plain, ours = compare(
        [
            lambda: [loop.utility(one, _METRIC) for one in everything],
            lambda: [worth.utility for worth in played.game(_METRIC).play(_pairs(MLP10.nodes))],
        ],
        repeats,
    )
    goal = Goal(at_least=12, of_ratio=True)
    return [row(MLP10.name, "all 1,024 coalitions, CPU, set-up included", ours, "s", goal, _PLAIN, plain)]


def _integer(setting: Setting, repeats: int) -> list[Row]:
    """The evaluator that the model gets, if it is exact, against the one in float32."""
    played = play(setting._replace(rounds=0), seed=0)
    task, data = Exact(setting.architecture, METRICS[_METRIC]), played.evaluation
    exact = choose_evaluator(task, data, played.base, played.updates, played.samples, HERE.memory)
    if not exact.exact:
        return []
    mixture = Mixture(played.base, played.updates, played.samples, HERE.memory)
    graph = trace(task.model().eval(), played.base.keys())
    assert graph is not None
    single = Batched(task, data, mixture, graph, graph.width(data.features[:7]), HERE.memory)
    shares = indicators(_some(setting.nodes), setting.nodes)
    integers, floats = compare([lambda: exact.evaluate(shares), lambda: single.evaluate(shares)], repeats)
    goal = Goal(at_least=1 / 4, of_ratio=True)
    figures = (1000 * integers / _SOME, "ms", goal, "float32 evaluator", 1000 * floats / _SOME)
    return [row(setting.name, "integer evaluator, one coalition, CPU", *figures)]


def _evaluator(played: Played) -> CoalitionEvaluator:
    return choose_evaluator(played.task(_METRIC), played.evaluation, played.base, played.updates, played.samples, HERE.memory)


def _some(players: int) -> list[int]:
    """Pairs of complements of random sizes, as a design has them."""
    random, full = np.random.RandomState(1), (1 << players) - 1
    halves = [int("".join(map(str, random.randint(0, 2, players))), 2) for _ in range(_SOME // 2)]
    return [one for half in halves for one in (half, full ^ half)]


def _pairs(players: int) -> list[int]:
    full = (1 << players) - 1
    return [one for half in range(1 << players - 1) for one in (half, full ^ half)]
