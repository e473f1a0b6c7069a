"""One round, from its inputs to its outcome: `evaluate_round`, the pure core that everybody calls.

Service, scorer, simulators, benchmarks and tests all call this one function. No clock, no I/O and no randomness of its own;
the node index is the only order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aggregator.evaluation.contributions.contribute import ContributionFigures, Errors, contribute, in_order
from aggregator.evaluation.contributions.game import HERE, Resources
from aggregator.evaluation.contributions.pay import share_out
from aggregator.evaluation.contributions.round_game import RoundGame
from aggregator.evaluation.gate.inspection import Inspection
from aggregator.evaluation.gate.judgement import GateInputs, Judgement, judge
from aggregator.evaluation.gate.statistics import Statistics
from aggregator.evaluation.gate.verdict import Claimed
from aggregator.evaluation.merge.mean import WeightedMean
from learning.data import Data
from learning.task import Task
from protocol.config import FederationConfig
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, model_hash
from protocol.roster import RosterEntry
from protocol.shares import gain_tolerance
from protocol.typed_data import Domain, Update
from protocol.verdicts import Reason, Verdict


@dataclass(frozen=True)
class Submission:
    """What one node handed in: its signed Update and, if it came in time, the body (safetensors) with its salt.

    `receipt` is the aggregator's signature that it holds the Update; None where it came by the chain.
    """

    update: Update
    signature: bytes
    salt: bytes | None
    body: bytes | None
    receipt: bytes | None = None


@dataclass(frozen=True)
class RoundInputs:
    """Everything that a round's outcome depends on.

    `bound` is what the round was opened with; `submissions` ascend by node index and are all from nodes of `roster`;
    `parent_delta` is the parent's merged model minus its base (None for the first round); `reputation` by node index;
    `seed` is the 32 bytes that the chain fixed at close. `parent_reputation` is the root of the leaves that `reputation` was
    read from, zero if there were none.
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
    parent_reputation: bytes = bytes(32)


@dataclass(frozen=True)
class Measurements:
    """The toleranced figures of a round: they come from float arithmetic, which differs between machines.

    `statistics` by node index.
    """

    statistics: Mapping[int, Statistics]
    contributions: ContributionFigures


@dataclass(frozen=True)
class NodeOutcome:
    """What the round decided about one node that committed.

    `weight` is d_i in units of 2^-16. `contribution` and its standard error, whole and in its two parts, are numerators on the
    round's denominator, in units of 2^-20 of one sample's score; zero for a node that is in no coalition, as are `basis` and
    `score`.
    """

    node: int
    samples: int
    verdict: Verdict
    reason: Reason
    weight: int
    contribution: int
    standard_error: int
    errors: Errors
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


def gate_inputs(inputs: RoundInputs) -> GateInputs:
    """The part of a round that the gate depends on."""
    bounds = {entry.node: entry.max_samples for entry in inputs.roster}
    return GateInputs(
        task=inputs.task,
        config=inputs.config,
        base=inputs.base,
        parent_delta=inputs.parent_delta,
        claimed={s.update.node: Claimed(s.update.samples, bounds[s.update.node]) for s in inputs.submissions},
        bodies={s.update.node: s.body for s in inputs.submissions},
        shards=inputs.shards,
        root_set=inputs.root_set,
        reputation=inputs.reputation,
        seed=inputs.seed,
    )


def evaluate_round(
    inputs: RoundInputs,
    published: Measurements | None = None,
    resources: Resources = HERE,
    judged: Judgement | None = None,
) -> RoundOutcome:
    """Gate, game, contributions, pay and merge of one round.

    With `published` (a verifier's call), everything derived follows from those figures instead of this machine's own, which
    come back as `measured` to be compared with them; `judged` is the gate's part, if it was already done. `resources` are this
    machine's, and decide nothing. Raises `TaskError` if
    the task cannot score its own base model, `EvidenceError` if the published figures are not for the same nodes and coalitions.
    """
    gate = judged or judge(gate_inputs(inputs), published.statistics if published else None)
    updates = {node: found.parameters for node, found in gate.inspections.items() if found.parameters is not None}
    in_order("statistics", gate.published if published is None else published.statistics, gate.measured)
    samples = {s.update.node: s.update.samples for s in inputs.submissions}
    accepted = [node for node, decision in gate.decisions.items() if decision.weight]

    weights = [samples[node] * gate.decisions[node].weight for node in accepted]
    playing = [updates[node] for node in accepted]
    game = RoundGame(inputs.task, inputs.shards, inputs.base, playing, weights, resources)
    figures = published.contributions if published else None
    found = contribute(accepted, game, inputs.config.contributions.work, inputs.seed, figures)

    gain = found.utility_all - found.utility_empty
    tolerance = gain_tolerance(len(inputs.shards), inputs.config.tolerance.utility)
    standard_errors = found.published.standard_errors
    pay = share_out(found.values, standard_errors, gain, tolerance, inputs.config.pay.z)
    # A model that cannot be scored could not be scored as the next round's base either, and no round would ever pass again; it
    # is worth 0, so nobody is paid for it, and the base stands.
    merged = WeightedMean(inputs.base, playing, weights).of_all() if found.scorable else dict(inputs.base)
    return RoundOutcome(
        nodes=tuple(
            NodeOutcome(
                node,
                samples[node],
                decision.verdict,
                decision.reason,
                decision.weight,
                found.values.get(node, 0),
                standard_errors.get(node, 0),
                found.published.errors.get(node, Errors(0, 0)),
                pay.bases.get(node, 0),
                pay.scores.get(node, 0),
            )
            for node, decision in gate.decisions.items()
        ),
        inspections=gate.inspections,
        published=Measurements(gate.published, found.published),
        measured=Measurements(gate.measured, found.measured),
        denominator=found.denominator,
        utility_empty=found.utility_empty,
        utility_all=found.utility_all,
        merged=merged,
        model_hash=model_hash(merged),
        reputation=dict(inputs.reputation) | gate.reputation,
    )
