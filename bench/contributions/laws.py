"""What a node gains by splitting itself into identical parts: each sends the same update and claims a part of the samples."""

from dataclasses import replace
from typing import Any

from aggregator.evaluation.contributions.estimators import enumerate_game
from bench.contributions.curves import per_sample
from bench.contributions.rounds import METRICS, Played, Setting, play

PARTS = (2, 3)


def measure(setting: Setting, seed: int, nodes: int) -> Any:
    """By metric: how much the total of each of the first `nodes` nodes changes, relative to it, for every number of parts."""
    played = play(setting, seed)
    found = {}
    for metric in METRICS:
        whole = _exact(played, metric)
        found[metric] = [
            abs(sum(_exact(_split(played, node, parts), metric)[-parts:]) / whole[node] - 1)
            for node in range(nodes)
            for parts in PARTS
        ]
    return found


def _exact(played: Played, metric: str) -> list[float]:
    estimate = enumerate_game(played.game(metric))
    values: list[float] = per_sample(estimate, estimate.contributions, len(played.evaluation)).tolist()
    return values


def _split(played: Played, node: int, parts: int) -> Played:
    """The parts come last. All weights are multiplied by `parts`, so that they stay integers."""
    others = [player for player in range(len(played.updates)) if player != node]
    return replace(
        played,
        updates=(*(played.updates[player] for player in others), *[played.updates[node]] * parts),
        samples=(*(parts * played.samples[player] for player in others), *[played.samples[node]] * parts),
    )
