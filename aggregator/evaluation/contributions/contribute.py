"""What every accepted node contributed to a round: the game played, its Shapley values, and how sure they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from aggregator.evaluation.contributions.enumeration import shapley
from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR, Estimate, Stage, standard_error
from aggregator.evaluation.contributions.game import members
from aggregator.evaluation.contributions.method import estimate
from aggregator.evaluation.contributions.reduction import Reduced, shared_out
from aggregator.evaluation.contributions.round_game import RoundGame
from protocol.errors import EvidenceError

_K = TypeVar("_K")
_V = TypeVar("_V")


class Errors(NamedTuple):
    """Standard errors of a contribution on the round's denominator: from the evaluation samples, from the estimation."""

    sampling: int
    estimation: int


@dataclass(frozen=True)
class ContributionFigures:
    """The figures of the game that may come from float arithmetic, which differs between machines.

    `utilities` by (coalition as a mask over node indices, shard), in the order of evaluation; `errors` by node index. `stages`
    of the estimation, the last one used. `solved`: contributions by node index where they were solved for, empty where they
    follow from the utilities of all coalitions. `evaluator`: the number of what evaluated the coalitions.
    """

    utilities: Mapping[tuple[int, int], int]
    errors: Mapping[int, Errors]
    stages: tuple[Stage, ...]
    solved: Mapping[int, int]
    evaluator: int

    @property
    def standard_errors(self) -> dict[int, int]:
        """Both errors of each node together."""
        return {node: standard_error(*errors) for node, errors in self.errors.items()}


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
    game: RoundGame,
    work: int,
    seed: bytes,
    published: ContributionFigures | None = None,
) -> Contributions:
    """Find the contributions of `nodes` (their indices, ascending), the players of `game`.

    `work` as in the config. With `published` (of a round that is replayed), contributions follow from those figures. Raises
    `EvidenceError` if they are not for the same nodes and coalitions.
    """
    active = game.active
    reduced = Reduced(game, active)
    found = estimate(reduced, work // game.cost, seed, published.stages if published else ())
    # Whom nothing tells apart gets the same, whatever a solve or the tolerance of published utilities made of it.
    found = replace(found, contributions=shared_out(found.contributions, _twins(game)))
    measured = _figures(nodes, game, active, found)
    used = measured if published is None else _published(published, measured)

    totals = total_utilities(used.utilities)
    empty, everything = extremes(nodes, totals)
    if used.solved:
        values = dict.fromkeys(nodes, 0) | dict(used.solved)
        if sum(values.values()) != found.denominator * (everything - empty):
            raise EvidenceError("the published contributions do not sum to U(N) − U(∅)")
    else:
        values, _ = from_every_utility(nodes, game, totals)
    return Contributions(values, found.denominator, used, measured, empty, everything, game.scorable)


def from_every_utility(nodes: Sequence[int], game: RoundGame, totals: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """Contributions by node index and their denominator, from U of every coalition of active players, by its mask."""
    active = game.active
    among = {_among(nodes, active, mask): total for mask, total in totals.items()}
    numerators, denominator = shapley(among, len(active))
    even = shared_out(numerators, _twins(game))
    return dict.fromkeys(nodes, 0) | {nodes[player]: value for player, value in zip(active, even, strict=True)}, denominator


def total_utilities(utilities: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """U of each coalition, a mask over node indices: the sum over the shards."""
    totals: dict[int, int] = {}
    for (mask, _), utility in utilities.items():
        totals[mask] = totals.get(mask, 0) + utility
    return totals


def extremes(nodes: Sequence[int], totals: Mapping[int, int]) -> tuple[int, int]:
    """U(∅) and U(N). Without active players only the empty coalition is played."""
    return totals[0], totals.get(sum(1 << node for node in nodes), totals[0])


def in_order(what: str, published: Mapping[_K, _V], own: Mapping[_K, _V]) -> Mapping[_K, _V]:
    """The published figures in the order of the own ones. Raises `EvidenceError` if they are not for the same leaves."""
    if published.keys() != own.keys():
        differing = sorted(map(str, published.keys() ^ own.keys()))[0]
        raise EvidenceError(
            f"the published {what} are not for the same leaves as the replayed ones: {differing} is on one side only"
        )
    return {key: published[key] for key in own}


def _figures(nodes: Sequence[int], game: RoundGame, active: Sequence[int], found: Estimate) -> ContributionFigures:
    played = game.utilities
    if found.denominator != SOLVE_DENOMINATOR:
        played = {coalition: played[coalition] for coalition in sorted(played)}
    utilities = {
        (_mask(nodes, coalition), shard): utility for coalition, one in played.items() for shard, utility in enumerate(one)
    }
    errors = dict.fromkeys(nodes, Errors(0, 0))
    for player, *both in zip(active, found.sampling_errors, found.estimation_errors, strict=True):
        errors[nodes[player]] = Errors(*both)
    solved: dict[int, int] = {}
    if found.denominator == SOLVE_DENOMINATOR:
        solved = dict.fromkeys(nodes, 0)
        solved |= {nodes[player]: value for player, value in zip(active, found.contributions, strict=True)}
    return ContributionFigures(utilities, errors, found.stages, solved, game.evaluator_number)


def _published(published: ContributionFigures, own: ContributionFigures) -> ContributionFigures:
    if len(published.stages) != len(own.stages):
        raise EvidenceError(f"{len(published.stages)} stages of the estimation are published, the replay has {len(own.stages)}")
    for theirs, mine in zip(published.stages, own.stages, strict=True):
        if len(theirs.misses) != len(mine.misses):
            raise EvidenceError(f"a stage of the estimation is published with {len(theirs.misses)} length scales")
    # What a stage came to follows from its figures, so only these are taken over.
    stages = tuple(
        mine._replace(residual=theirs.residual, spread=theirs.spread, misses=theirs.misses)
        for theirs, mine in zip(published.stages, own.stages, strict=True)
    )
    return ContributionFigures(
        in_order("utilities", published.utilities, own.utilities),
        in_order("standard errors", published.errors, own.errors),
        stages,
        in_order("contributions", published.solved, own.solved) if own.solved else {},
        own.evaluator,
    )


def _mask(nodes: Sequence[int], coalition: int) -> int:
    return sum(1 << nodes[player] for player in members(coalition))


def _among(nodes: Sequence[int], active: Sequence[int], coalition: int) -> int:
    return sum(1 << position for position, player in enumerate(active) if coalition >> nodes[player] & 1)


def _twins(game: RoundGame) -> list[list[int]]:
    """Groups of players whom nothing tells apart, by their positions among the active ones."""
    return [[game.active.index(player) for player in group] for group in game.alike if group[0] in game.active]
