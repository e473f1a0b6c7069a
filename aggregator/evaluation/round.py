"""One round, from its inputs to its outcome: `evaluate_round`, the pure core that everybody calls.

Service, scorer, simulators, benchmarks and tests all call this one function. No clock, no I/O and no randomness of its own;
the node index is the only order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from aggregator.evaluation.contributions.design import choose_design
from aggregator.evaluation.contributions.game import members, play
from aggregator.evaluation.contributions.pay import share_out
from aggregator.evaluation.contributions.standard_error import PerSample
from aggregator.evaluation.gate.inspection import Inspection, inspect
from aggregator.evaluation.gate.statistics import Statistics, measure
from aggregator.evaluation.gate.verdict import Claimed, decide
from aggregator.evaluation.merge.mean import WeightedMean
from learning.data import Data
from learning.evaluator import Evaluator
from learning.task import Task
from protocol.config import FederationConfig
from protocol.errors import EvidenceError
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, layout_of, model_hash
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Update
from protocol.verdicts import Reason, Verdict

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True)
class Submission:
    """What one node handed in: its signed Update and, if it came in time, the body (safetensors) with its salt."""

    update: Update
    signature: bytes
    salt: bytes | None
    body: bytes | None


@dataclass(frozen=True)
class RoundInputs:
    """Everything that a round's outcome depends on.

    `bound` is what the round was opened with; `submissions` ascend by node index and are all from nodes of `roster`;
    `parent_delta` is the parent's merged model minus its base (None for the first round); `reputation` by node index;
    `seed` is the 32 bytes that the chain fixed at close.
    """

    domain: Domain
    round: int
    bound: BoundInputs
    config: FederationConfig
    task: Task
    base: Parameters
    parent_delta: Parameters | None
    roster: tuple[RosterEntry, ...]
    submissions: tuple[Submission, ...]
    shards: tuple[Data, ...]
    root_set: Data
    reputation: Mapping[int, int]
    seed: bytes


@dataclass(frozen=True)
class Measurements:
    """The toleranced figures of a round: they come from float arithmetic, which differs between machines.

    `statistics` by node index; `utilities` by (coalition as a mask over node indices, shard), in the order of evaluation;
    `standard_errors` by node index, on the round's denominator.
    """

    statistics: Mapping[int, Statistics]
    utilities: Mapping[tuple[int, int], int]
    standard_errors: Mapping[int, int]


@dataclass(frozen=True)
class NodeOutcome:
    """What the round decided about one node that committed.

    `weight` is d_i in units of 2^-16. `contribution` and `standard_error` are numerators on the round's denominator, in units
    of 2^-20 of one sample's score; zero for a node that is in no coalition, as are `basis` and `score`.
    """

    node: int
    samples: int
    verdict: Verdict
    reason: Reason
    weight: int
    contribution: int
    standard_error: int
    basis: int
    score: int


@dataclass(frozen=True)
class RoundOutcome:
    """What a round decided. `nodes` ascend by index; `measured` is what this machine itself measured."""

    nodes: tuple[NodeOutcome, ...]
    inspections: Mapping[int, Inspection]
    published: Measurements
    measured: Measurements
    denominator: int
    utility_empty: int
    utility_all: int
    merged: Parameters
    model_hash: bytes
    reputation: Mapping[int, int]

    @property
    def total_basis(self) -> int:
        """T: the sum of all score bases."""
        return sum(node.basis for node in self.nodes)

    @property
    def scores(self) -> tuple[int, ...]:
        """Scores by node index, from 0 to the highest index that committed; the gaps score 0."""
        by_node = {node.node: node.score for node in self.nodes}
        return tuple(by_node.get(node, 0) for node in range(max(by_node, default=-1) + 1))


def evaluate_round(inputs: RoundInputs, published: Measurements | None = None) -> RoundOutcome:
    """Gate, game, contributions, pay and merge of one round.

    With `published` (a verifier's call), everything derived follows from those figures instead of this machine's own, which
    come back as `measured` to be compared with them. Raises `TaskError` if the task cannot score its own base model,
    `EvidenceError` if the published figures are not for the same nodes and coalitions.
    """
    layout = layout_of(inputs.base)
    bounds = {entry.node: entry.max_samples for entry in inputs.roster}
    claimed = {s.update.node: Claimed(s.update.samples, bounds[s.update.node]) for s in inputs.submissions}
    inspections = {s.update.node: inspect(s.body, layout) for s in inputs.submissions}
    updates = {node: found.parameters for node, found in inspections.items() if found.parameters is not None}
    own_statistics = {node: measure(update) for node, update in updates.items()}

    statistics = _chosen("statistics", own_statistics, published.statistics if published else None)
    decisions = decide(claimed, inspections, statistics, inputs.config.gate.norm_multiple)
    accepted = [node for node, decision in decisions.items() if decision.weight]

    weights = [claimed[node].samples * decisions[node].weight for node in accepted]
    mean = WeightedMean(inputs.base, [updates[node] for node in accepted], weights)
    design = choose_design(len(accepted), inputs.config.contributions.permutation_pairs, inputs.seed)
    per_sample = PerSample(design.coefficients)
    own_utilities: dict[tuple[int, int], int] = {}
    evaluators = [Evaluator(inputs.task, shard) for shard in inputs.shards]
    for column, worth in enumerate(play(mean, evaluators, design.coalitions)):
        nodes = node_mask(accepted[player] for player in members(worth.coalition))
        own_utilities |= {(nodes, shard): int(scores.sum()) for shard, scores in enumerate(worth.per_shard)}
        per_sample.add(column, np.concatenate(worth.per_shard))
    own_errors = dict(zip(accepted, per_sample.standard_errors(), strict=True))

    used = Measurements(
        statistics,
        _chosen("utilities", own_utilities, published.utilities if published else None),
        _chosen("standard errors", own_errors, published.standard_errors if published else None),
    )
    shard_count = len(inputs.shards)
    in_order = list(used.utilities.values())
    utilities = [sum(in_order[at : at + shard_count]) for at in range(0, len(in_order), shard_count)]
    contributions = {
        node: sum(int(weight) * utility for weight, utility in zip(row, utilities, strict=True))
        for node, row in zip(accepted, design.coefficients, strict=True)
    }
    gain = utilities[-1] - utilities[0]
    tolerance = shard_count * inputs.config.tolerance.utility
    pay = share_out(contributions, used.standard_errors, gain, tolerance, inputs.config.pay.z)
    # The last coalition is the full one. A model that cannot be scored could not be scored as the next round's base either,
    # and no round would ever pass again; it is worth 0, so nobody is paid for it, and the base stands.
    merged = mean.of_all() if worth.scorable else dict(inputs.base)
    return RoundOutcome(
        nodes=tuple(
            NodeOutcome(
                node,
                claimed[node].samples,
                decision.verdict,
                decision.reason,
                decision.weight,
                contributions.get(node, 0),
                used.standard_errors.get(node, 0),
                pay.bases.get(node, 0),
                pay.scores.get(node, 0),
            )
            for node, decision in decisions.items()
        ),
        inspections=inspections,
        published=used,
        measured=Measurements(own_statistics, own_utilities, own_errors),
        denominator=design.denominator,
        utility_empty=utilities[0],
        utility_all=utilities[-1],
        merged=merged,
        model_hash=model_hash(merged),
        # Nothing is inferred about anyone over several rounds yet: reputation is carried as it came.
        reputation={entry.node: inputs.reputation.get(entry.node, 0) for entry in inputs.roster} | dict(inputs.reputation),
    )


def node_mask(nodes: Iterable[int]) -> int:
    """The bit mask of node indices.

    >>> node_mask([0, 3])
    9
    """
    return sum(1 << node for node in nodes)


def _chosen(what: str, own: Mapping[_K, _V], published: Mapping[_K, _V] | None) -> Mapping[_K, _V]:
    """The published figures if there are any, in the order of the own ones."""
    if published is None:
        return own
    if published.keys() != own.keys():
        differing = sorted(map(str, published.keys() ^ own.keys()))[0]
        raise EvidenceError(
            f"the published {what} are not for the same leaves as the replayed ones: {differing} is on one side only"
        )
    return {key: published[key] for key in own}
