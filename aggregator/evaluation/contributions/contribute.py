"""What every accepted node contributed to a round: the game played, its Shapley values, and how sure they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from aggregator.evaluation.contributions.design import choose_design
from aggregator.evaluation.contributions.game import Scorer, members, play
from aggregator.evaluation.contributions.standard_error import PerSample
from aggregator.evaluation.merge.mean import WeightedMean
from protocol.config import ContributionsSection
from protocol.errors import EvidenceError

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True)
class ContributionFigures:
    """The toleranced figures of the game: they come from float arithmetic, which differs between machines.

    `utilities` by (coalition as a mask over node indices, shard), in the order of evaluation; `standard_errors` by node index,
    on the round's denominator.
    """

    utilities: Mapping[tuple[int, int], int]
    standard_errors: Mapping[int, int]


@dataclass(frozen=True)
class Contributions:
    """`values` are numerators on `denominator` by node index, in units of 2^-20 of one sample's score, as utilities are.

    They follow from `published`; `measured` is what this machine itself found. `scorable`: whether the merged model has a score.
    """

    values: Mapping[int, int]
    denominator: int
    published: ContributionFigures
    measured: ContributionFigures
    utility_empty: int
    utility_all: int
    scorable: bool


def contribute(
    nodes: Sequence[int],
    mean: WeightedMean,
    shards: Sequence[Scorer],
    settings: ContributionsSection,
    seed: bytes,
    published: ContributionFigures | None = None,
) -> Contributions:
    """Play the game of `mean`, whose players are `nodes` (their indices, ascending), on the evaluation shards.

    With `published`, contributions follow from those figures. Raises `TaskError` if the base model cannot be scored,
    `EvidenceError` if the published figures are not for the same nodes and coalitions.
    """
    design = choose_design(len(nodes), settings.permutation_pairs, seed)
    per_sample = PerSample(design.coefficients)
    utilities: dict[tuple[int, int], int] = {}
    for column, worth in enumerate(play(mean, shards, design.coalitions)):
        mask = sum(1 << nodes[player] for player in members(worth.coalition))
        utilities |= {(mask, shard): int(scores.sum()) for shard, scores in enumerate(worth.per_shard)}
        per_sample.add(column, np.concatenate(worth.per_shard))
    measured = ContributionFigures(utilities, dict(zip(nodes, per_sample.standard_errors(), strict=True)))
    used = measured
    if published is not None:
        used = ContributionFigures(
            in_order("utilities", published.utilities, measured.utilities),
            in_order("standard errors", published.standard_errors, measured.standard_errors),
        )
    figures = list(used.utilities.values())
    totals = [sum(figures[at : at + len(shards)]) for at in range(0, len(figures), len(shards))]
    values = {
        node: sum(int(weight) * utility for weight, utility in zip(row, totals, strict=True))
        for node, row in zip(nodes, design.coefficients, strict=True)
    }
    # The last coalition is the full one.
    return Contributions(values, design.denominator, used, measured, totals[0], totals[-1], worth.scorable)


def in_order(what: str, published: Mapping[_K, _V], own: Mapping[_K, _V]) -> Mapping[_K, _V]:
    """The published figures in the order of the own ones. Raises `EvidenceError` if they are not for the same leaves."""
    if published.keys() != own.keys():
        differing = sorted(map(str, published.keys() ^ own.keys()))[0]
        raise EvidenceError(
            f"the published {what} are not for the same leaves as the replayed ones: {differing} is on one side only"
        )
    return {key: published[key] for key in own}
