"""Plays one cell under one defence: the gate, shipped or fitted without the attack, a peer's rule, or the oracle."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.attacks.attack import Attack
from aggregator.simulation.attacks.data import TARGET, with_trigger
from aggregator.simulation.federation import Federation, draw_malicious, simulate
from aggregator.simulation.participants import Participants
from aggregator.simulation.vectors import Vector, flatten, unflatten
from bench.gate.blind import blind_to
from bench.gate.cells import ROUNDS, Cell, federation
from bench.gate.detectors import BYZFL, DETECTORS, Aggregate, Context, Rule
from learning.data import Data
from learning.errors import LearningError
from learning.evaluator import Evaluator
from learning.recipe import Recipe
from learning.task import Task
from learning.training import train
from protocol.parameters import Parameters
from protocol.verdicts import Verdict

GATE, BLIND, ORACLE = "gate", "gate, fitted without the attack", "oracle"
GATES = (GATE, BLIND)
NAMED = (Verdict.REJECT, Verdict.DUPLICATE)


@dataclass
class Round:
    """One round: the truth, who was named (None: the rule names nobody), and, under the gate, reasons, reputation and scores."""

    attacking: list[int]
    named: list[int] | None
    reasons: dict[int, str] = field(default_factory=dict)
    reputation: dict[int, int] = field(default_factory=dict)
    scores: dict[int, int] = field(default_factory=dict)


@dataclass
class Played:
    """A cell's outcome. `accuracy` of the last model on the test data; `backdoor`: share of triggered samples of other classes
    that it calls the target, None for attacks without a trigger; `failure`: why the rule could not go on.
    """

    accuracy: float
    backdoor: float | None
    samples: list[int]
    malicious: list[int]
    rounds: list[Round]
    failure: str | None = None


def play(cell: Cell, defence: str) -> Played:
    """Play the whole cell. `defence`: `GATE`, `BLIND`, `ORACLE` (it knows who is honest), or a name in `DETECTORS` or `BYZFL`."""
    whole, tested = federation(cell.task, cell.alpha, cell.seed)
    if defence == BLIND:
        whole = replace(whole, config=whole.config.model_copy(update={"gate": blind_to(cell.attack)}))
    malicious = draw_malicious(len(whole.nodes), cell.share, cell.seed)
    rounds: list[Round] = []
    failure = None
    model: Parameters = whole.base
    try:
        if defence in GATES:
            turns = under_gate(whole, ATTACKS.get(cell.attack), malicious, cell.seed)
        else:
            turns = _under_rule(cell, whole, malicious, defence)
        for merged, one in turns:
            model = merged
            rounds.append(one)
    except (LearningError, ValueError, AttributeError, TypeError) as error:  # a rule that NaN or its own bounds end
        if defence in GATES:
            raise
        failure = f"{type(error).__name__}: {error}"
    right, backdoor = _test(whole.task, model, tested, cell)
    return Played(right, backdoor, [len(own) for own in whole.nodes], sorted(malicious), rounds, failure)


def under_gate(
    whole: Federation, attack: Attack | None, malicious: frozenset[int], seed: int
) -> Iterator[tuple[Parameters, Round]]:
    """The model after every round under the gate, and what happened in it."""
    for one in simulate(whole, attack, malicious, ROUNDS, seed):
        nodes = one.outcome.nodes
        yield (
            one.outcome.merged,
            Round(
                attacking=sorted(one.attacking),
                named=[node.node for node in nodes if node.verdict in NAMED],
                reasons={node.node: node.reason.code for node in nodes},
                reputation=dict(one.outcome.reputation),
                scores={node.node: node.score for node in nodes},
            ),
        )


def _under_rule(cell: Cell, whole: Federation, malicious: frozenset[int], defence: str) -> Iterator[tuple[Parameters, Round]]:
    recipe = Recipe.from_config(whole.config.recipe)
    participants = Participants(whole.task, recipe, whole.nodes, ATTACKS.get(cell.attack), malicious, cell.seed)
    random = np.random.default_rng(cell.seed)
    base, previous = whole.base, None
    refused: frozenset[int] = frozenset()
    for number in range(1, ROUNDS + 1):
        sent = participants.updates(number, base, previous, refused)
        came = {node: update for node, update in sorted(sent.updates.items()) if update is not None}
        f = len(malicious & came.keys())
        root = (
            flatten(train(whole.task, base, whole.root_set, recipe, number)) if defence == "FLTrust" else np.zeros(0, np.float32)
        )
        step, named = _aggregate(defence, came, participants, sent.attacking, Context(f, root, random))
        refused = frozenset(named or ())
        next_base = unflatten(flatten(base) + step, base)
        previous, base = step, next_base
        yield base, Round(sorted(sent.attacking), None if named is None else sorted(named))


def _aggregate(
    defence: str, came: dict[int, Vector], participants: Participants, attacking: frozenset[int], context: Context
) -> tuple[Vector, set[int] | None]:
    nodes = list(came)
    if defence == ORACLE:
        honest = [node for node in nodes if node not in attacking]
        weights = np.array([participants.samples[node] for node in honest], np.float64)
        rows = np.stack([came[node] for node in honest])
        return np.asarray(weights @ rows / weights.sum(), np.float32), set(attacking)
    rule: Rule = {**DETECTORS, **BYZFL}[defence]
    given = nodes if defence in BYZFL else [node for node in nodes if np.isfinite(came[node]).all()]
    aggregate: Aggregate = rule(np.stack([came[node] for node in given]), context)
    if aggregate.refused is None:
        return aggregate.step, None
    return aggregate.step, {given[row] for row in aggregate.refused} | (set(nodes) - set(given))


def _test(task: Task, model: Parameters, tested: Data, cell: Cell) -> tuple[float, float | None]:
    right = accuracy(task, model, tested)
    if cell.attack not in ATTACKS or not ATTACKS[cell.attack].backdoor:
        return right, None
    others = tested.take(np.flatnonzero(tested.targets.numpy() != TARGET))
    marked = with_trigger(others)
    return right, accuracy(task, model, Data(marked.features, marked.targets * 0 + TARGET))


def accuracy(task: Task, model: Parameters, data: Data) -> float:
    """The share of `data` that `model` gets right."""
    # A model that NaN has reached is as good as its answer to everything: the first class.
    if not all(np.isfinite(array).all() for array in model.values()):
        return float((data.targets == 0).float().mean())
    return Evaluator(task, data).evaluate(model).accuracy
