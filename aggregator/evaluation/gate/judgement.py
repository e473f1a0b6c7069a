"""The gate as one call: what every update is measured to be, and what is decided about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aggregator.evaluation.gate.cohort import virtual_cohort
from aggregator.evaluation.gate.direction import affine, cone, fit
from aggregator.evaluation.gate.duplicates import similarity
from aggregator.evaluation.gate.fusion import is_grey
from aggregator.evaluation.gate.geometry import Geometry, Raw, Values
from aggregator.evaluation.gate.guard import heterogeneity
from aggregator.evaluation.gate.inspection import Inspection, inspect
from aggregator.evaluation.gate.null import Null
from aggregator.evaluation.gate.replay import replay
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, Statistic, Statistics, in_units, norm
from aggregator.evaluation.gate.strata import Strata
from aggregator.evaluation.gate.utility import utilities
from aggregator.evaluation.gate.verdict import Claimed, Decision, decide, hard_faults, norm_faults, upper_quartile_norm
from learning.data import Data
from learning.evaluator import Evaluator
from learning.recipe import Recipe
from learning.task import Task
from protocol.config import FederationConfig
from protocol.parameters import Parameters, layout_of
from protocol.verdicts import Reason

_LEAST_SPREAD = 0.1
"""Of the logarithm of lengths: a tenth more or less is nothing."""


@dataclass(frozen=True)
class GateInputs:
    """What the gate depends on. `claimed`, `bodies` (None: never came) and `reputation` by node index; the rest as in a round."""

    task: Task
    config: FederationConfig
    base: Parameters
    parent_delta: Parameters | None
    claimed: Mapping[int, Claimed]
    bodies: Mapping[int, bytes | None]
    shards: tuple[Data, ...]
    root_set: Data
    reputation: Mapping[int, int]
    seed: bytes


@dataclass(frozen=True)
class Judgement:
    """What the gate found. `measured` are this machine's own statistics, `published` those that the decisions follow from."""

    inspections: Mapping[int, Inspection]
    measured: Mapping[int, Statistics]
    published: Mapping[int, Statistics]
    decisions: Mapping[int, Decision]

    @property
    def reputation(self) -> dict[int, int]:
        """The suspicion carried out of the round, by node index, of every node that has ever been measured."""
        return {node: found.reputation for node, found in self.decisions.items() if found.reputation is not None}


def judge(inputs: GateInputs, published: Mapping[int, Statistics] | None = None) -> Judgement:
    """Measure every update and decide about it.

    With `published` (a verifier's call) everything that depends on a statistic follows from those: the decisions, and which
    nodes are measured further. A node that they leave out is judged by this machine's own, for the caller to find. Raises
    `TaskError` if the task cannot train or score its own base model.
    """
    layout = layout_of(inputs.base)
    inspections = {node: inspect(inputs.bodies[node], layout) for node in sorted(inputs.claimed)}
    updates = {node: found.parameters for node, found in inspections.items() if found.parameters is not None}
    measured = _Measuring(inputs, inspections, updates).run(published or {})
    used = measured | {node: values for node, values in (published or {}).items() if node in measured}
    return Judgement(
        inspections, measured, used, decide(inputs.claimed, inspections, used, inputs.reputation, inputs.config.gate)
    )


class _Measuring:
    """The checks in their order, cheap ones first. Which nodes go on to the next is decided from published integers."""

    def __init__(self, inputs: GateInputs, inspections: Mapping[int, Inspection], updates: Mapping[int, Parameters]) -> None:
        self._inputs, self._updates, self._gate = inputs, updates, inputs.config.gate
        self._faults = hard_faults(inputs.claimed, inspections)
        self._strata = Strata(inputs.root_set, inputs.shards)
        self._values = {node: [0] * len(Statistic) for node in updates}

    def run(self, published: Mapping[int, Statistics]) -> dict[int, Statistics]:
        inputs = self._inputs
        for node, update in self._updates.items():
            self._values[node][Statistic.NORM] = norm(update)
        sizes = {node: inputs.claimed[node].samples for node in self._updates if self._faults[node] is None}
        recipe = Recipe.from_config(inputs.config.recipe)
        cohort = virtual_cohort(
            inputs.task,
            inputs.base,
            inputs.root_set,
            self._strata,
            recipe,
            [sizes[node] for node in sorted(sizes)],
            self._gate.virtual_nodes,
            inputs.seed,
        )
        if cohort is None:
            return self._result()
        self._set_all(Statistic.REFERENCE, upper_quartile_norm(norm(update) for update in cohort.updates))
        faulty = self._faults | norm_faults(self._faults, self._result() | dict(published), self._gate)
        nodes = [node for node in self._updates if faulty[node] in (None, Reason.SAME_AS_LOWER_INDEX)]
        if not nodes:
            return self._result()
        geometry = Geometry([self._updates[node] for node in nodes], cohort, inputs.parent_delta)
        claimed = np.array([inputs.claimed[node].samples for node in nodes])
        null = Null(geometry.mixes, (claimed, cohort.sizes), cohort.distinct)
        self._cheap(nodes, geometry, null, complete=cohort.complete)
        current = self._result() | dict(published)
        asked = [k for k, node in enumerate(nodes) if is_grey(current[node], self._gate)]
        if asked:
            self._dear(nodes, asked, geometry, null)
        return self._result()

    def _cheap(self, nodes: Sequence[int], geometry: Geometry, null: Null, *, complete: bool) -> None:
        alike = similarity(geometry, self._inputs.seed)
        lower = np.tril(alike).max(axis=1, initial=0)
        lengths = Raw(*map(np.log, geometry.norms))
        allowed = np.exp(np.minimum(null.upper_quartile(lengths, _LEAST_SPREAD), lengths.virtual.max()))
        found: dict[Statistic, Values] = {
            Statistic.SIZE: np.maximum(null.standardise(lengths, _LEAST_SPREAD), 0),
            Statistic.CONE: null.standardise(cone(geometry), 0.02),
            Statistic.AFFINE: null.standardise(affine(geometry), 0.02),
            Statistic.FIT: null.standardise(fit(geometry), 0.02),
            Statistic.ENERGY: null.standardise(geometry.whitened_energy, 0.1),
        }
        repeated = replay(geometry)
        if repeated is not None:
            found[Statistic.REPLAY] = null.standardise(repeated, 0.05)
        guard = heterogeneity(found, alike.max(axis=1, initial=0), complete=complete)
        found = {statistic: null.told * values for statistic, values in found.items()}
        found |= {Statistic.DUPLICATE: alike.max(axis=1, initial=0), Statistic.DUPLICATE_LOWER: lower, Statistic.ALLOWED: allowed}
        for statistic, values in found.items():
            for node, value in zip(nodes, values, strict=True):
                self._values[node][statistic] = in_units(value)
        self._set_all(Statistic.GUARD, in_units(guard))

    def _dear(self, nodes: Sequence[int], asked: Sequence[int], geometry: Geometry, null: Null) -> None:
        evaluators = [Evaluator(self._inputs.task, shard) for shard in self._inputs.shards]
        reference = self._values[nodes[0]][Statistic.REFERENCE] / STATISTIC_UNIT
        found = utilities(geometry, self._inputs.base, reference, evaluators, self._strata, asked)
        best, own = (null.told * null.standardise(raw, 0.005) for raw in found)
        for k in asked:
            self._values[nodes[k]][Statistic.UTILITY] = in_units(best[k])
            self._values[nodes[k]][Statistic.OWN_CLASSES] = in_units(own[k])

    def _set_all(self, statistic: Statistic, value: int) -> None:
        for values in self._values.values():
            values[statistic] = value

    def _result(self) -> dict[int, Statistics]:
        return {node: tuple(values) for node, values in self._values.items()}
