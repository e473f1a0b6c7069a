"""The rows of `bench/out/gate.json`: pooled over the suite, and per attack and skew: beside the oracle, the gate that was fitted
without the attack, what the same nodes earn by honesty, and the peers.
"""

from collections.abc import Iterable, Sequence
from statistics import mean

from aggregator.calibration.rates import Rate, pooled
from aggregator.simulation.attacks import ATTACKS
from bench.gate.figures import Figures, average
from bench.gate.grid import LONE
from bench.gate.play import BLIND, GATE, ORACLE
from bench.report import Goal, Row, row

OPEN_TARGETS = ("targeted-flip", "lazy", "on-off", "drift", "gap")
"""Attacks that no published method names at these false alarms; reported on their own, as are those of `grid.LONE`."""

HARMLESS = ("none", "dropout")

Results = dict[str, list[Figures]]
"""Figures of all played cells by defence."""


def rows(results: Results) -> list[Row]:
    """All rows: first what is pooled, then each case."""
    found: list[Row] = []
    for settings in sorted({_settings(one) for one in results[GATE]}):
        cells = [one for one in results[GATE] if _settings(one) == settings]
        found += _pooled(settings, cells, results)
    for case in sorted({_case(one) for one in results[GATE]}):
        found += _per_case(case, [one for one in results[GATE] if _case(one) == case], results)
    return found


def _pooled(settings: str, cells: Sequence[Figures], results: Results) -> list[Row]:
    suite = [one for one in cells if one.cell.attack not in HARMLESS and not _is_open(one)]
    clean = [one for one in cells if one.cell.attack == "none"]
    found = []
    if suite:
        majority = suite[0].cell.share > 0.5
        skewed = suite[0].cell.alpha is not None and suite[0].cell.alpha <= 0.1
        recall_goal = Goal(at_least=0.98 if majority else 0.9 if skewed else 0.97)
        false_goal = Goal(at_most=0.05 if majority else 0.01 if skewed else 0.005)
        settled = {name: pooled(one.settled_recall for one in suite if one.cell.attack == name) for name in ATTACKS}
        found += [
            row(settings, "recall, mean of the suite's attacks", _mean(_by_attack(suite).values()), "share", recall_goal),
            row(settings, "recall from round 6 on, mean of the suite's attacks", _mean(settled.values()), "share"),
            *_rate_rows(settings, "false positives under attack", pooled(one.false_positives for one in suite), false_goal),
            row(settings, "federations played", len(suite), "cells"),
        ]
        found += _against_oracle(settings, suite, results.get(ORACLE, []))
        found += _blind(settings, suite, results.get(BLIND, []))
    if clean:
        worst = max(one.false_positives.value for one in clean)
        found += _rate_rows(settings, "false positives without attack", pooled(one.false_positives for one in clean), None)
        found.append(row(settings, "false positives without attack, worst seed", worst, "share", Goal(at_most=0.01)))
    return found


def _blind(settings: str, suite: Sequence[Figures], blind: Sequence[Figures]) -> list[Row]:
    """Thresholds that were fitted without the attack (the value), beside the shipped ones on the very same cells (the peer's)."""
    without = {one.cell: one for one in blind}
    both = [(one, without[one.cell]) for one in suite if one.cell in without]
    if not both:
        return []
    shipped, fitted = zip(*both, strict=True)
    recall, own = (_mean(_by_attack(side).values()) for side in (fitted, shipped))
    alarms, of_shipped = (pooled(one.false_positives for one in side).value for side in (fitted, shipped))
    return [
        row(settings, "recall, mean of the attacks, each left out of the fit", recall, "share", None, GATE, own),
        row(settings, "false positives under attack, each left out of the fit", alarms, "share", None, GATE, of_shipped),
    ]


def _by_attack(cells: Sequence[Figures]) -> dict[str, Rate]:
    return {name: pooled(one.recall for one in cells if one.cell.attack == name) for name in ATTACKS}


def _per_case(case: str, cells: Sequence[Figures], results: Results) -> list[Row]:
    found = [row(case, "accuracy", mean(one.accuracy for one in cells), "share")]
    found += _against_oracle(case, cells, results.get(ORACLE, []))
    recall = pooled(one.recall for one in cells)
    if recall.trials:
        goal = Goal(at_least=0.5) if _is_open(cells[0]) else None
        found += _rate_rows(case, "recall", recall, goal)
        found += _rate_rows(case, "recall from round 6 on", pooled(one.settled_recall for one in cells), None)
    found += _rate_rows(case, "false positives", pooled(one.false_positives for one in cells), None)
    to_name = [rounds for one in cells for rounds in one.to_name]
    if to_name:
        found.append(row(case, "rounds until an attacker is first named, mean", mean(to_name), "rounds"))
    tokens = average(one.tokens for one in cells)
    if tokens is not None:
        goal = Goal(at_most=0.1)
        found.append(row(case, "attackers' tokens per sample against honest ones', from round 6 on", tokens, "share", goal))
    found += beside_honesty(case, cells, results[GATE])
    backdoor = average(one.backdoor for one in cells)
    if backdoor is not None:
        found.append(row(case, "backdoor success", backdoor, "share", Goal(at_most=0.05)))
    found.append(row(case, "honest nodes expelled", sum(one.expelled_honest for one in cells), "nodes", Goal(at_most=0)))
    found.append(row(case, "attackers expelled", sum(one.expelled_attackers for one in cells), "nodes"))
    for defence, others in results.items():
        if defence not in (GATE, ORACLE):
            found += _peer(case, defence, cells, others)
    return found


def beside_honesty(case: str, cells: Sequence[Figures], gate: Sequence[Figures]) -> list[Row]:
    """The malicious nodes' part of all tokens from round 6 on, over that of the same nodes in the seed's clean federation; both
    summed over seeds. A sample is worth more on one node than on another, so attackers are compared with themselves.
    """
    clean = {(one.cell.task, one.cell.alpha, one.cell.seed): one for one in gate if one.cell.attack == "none"}
    both = [(one, clean.get((one.cell.task, one.cell.alpha, one.cell.seed))) for one in cells if one.malicious]
    honest = sum(other.part_of(one.malicious) for one, other in both if other is not None)
    if not honest:
        return []
    attacking = sum(one.part_of(one.malicious) for one, other in both if other is not None)
    return [
        row(case, "attackers' tokens against what the same nodes earn by honesty, from round 6 on", attacking / honest, "share")
    ]


def _peer(case: str, defence: str, cells: Sequence[Figures], others: Sequence[Figures]) -> list[Row]:
    """The gate and one peer on the very cells that both have played."""
    played = {one.cell: one for one in others}
    both = [(one, played[one.cell]) for one in cells if one.cell in played]
    if not both:
        return []
    ours, theirs = zip(*both, strict=True)
    pairs = [("accuracy", mean(one.accuracy for one in ours), mean(one.accuracy for one in theirs))]
    if ours[0].backdoor is not None:
        pairs.append(("backdoor success", average(o.backdoor for o in ours) or 0, average(o.backdoor for o in theirs) or 0))
    for metric in ("recall", "false_positives"):
        own, other = (pooled(getattr(one, metric) for one in side) for side in (ours, theirs))
        if other.trials and own.trials:
            pairs.append((metric.replace("_", " "), own.value, other.value))
    return [row(case, f"{metric} beside a peer", a, "share", peer=defence, peer_value=b) for metric, a, b in pairs]


def _against_oracle(case: str, cells: Sequence[Figures], oracle: Sequence[Figures]) -> list[Row]:
    played = {one.cell: one.accuracy for one in oracle}
    both = [(one.accuracy, played[one.cell]) for one in cells if one.cell in played]
    if not both:
        return []
    behind = 100 * mean(best - own for own, best in both)
    return [row(case, "accuracy behind the honest-only oracle", behind, "points", Goal(at_most=1), "honest-only oracle")]


def _rate_rows(case: str, metric: str, rate: Rate, goal: Goal | None) -> list[Row]:
    low, high = rate.interval()
    return [
        row(case, metric, rate.value, f"share of {rate.trials} node-rounds", goal),
        row(case, f"{metric}, 95 % Wilson low", low, "share"),
        row(case, f"{metric}, 95 % Wilson high", high, "share"),
    ]


def _is_open(one: Figures) -> bool:
    return one.cell.attack in OPEN_TARGETS or (one.cell.attack, one.cell.share) in LONE


def _mean(rates: Iterable[Rate]) -> float:
    return mean(rate.value for rate in rates if rate.trials)


def _settings(one: Figures) -> str:
    cell = one.cell
    share = "30" if cell.attack == "none" and cell.task == "fashion-mlp" else f"{100 * cell.share:.0f}"
    return f"{cell.task}, {_skew(one)}, {share} % malicious"


def _case(one: Figures) -> str:
    return f"{one.cell.task}, {_skew(one)}, {100 * one.cell.share:.0f} % {one.cell.attack}"


def _skew(one: Figures) -> str:
    return "IID" if one.cell.alpha is None else f"Dirichlet {one.cell.alpha:g}"
