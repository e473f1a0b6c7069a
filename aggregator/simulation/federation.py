"""A federation round after round: simulated nodes, the real `evaluate_round`, no chain and no network."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from aggregator.evaluation.round import RoundInputs, RoundOutcome, Submission, evaluate_round
from aggregator.simulation.attacks.attack import Attack
from aggregator.simulation.participants import Participants
from aggregator.simulation.vectors import Vector, flatten, unflatten
from learning.data import Data, encode_data
from learning.partition import dirichlet_shares, even_shares
from learning.recipe import Recipe
from learning.task import Task
from protocol.config import FederationConfig
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, encode_parameters, model_hash
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Update
from protocol.verdicts import Verdict

_NOWHERE = Domain(1, "0x0000000000000000000000000000000000000000")
_UNSIGNED = bytes(65)
UNPAID = (Verdict.REJECT, Verdict.DUPLICATE, Verdict.ABSENT)


@dataclass(frozen=True)
class Federation:
    """What is simulated: `nodes` holds the data of each node by index, the other fields are a real federation's."""

    task: Task
    config: FederationConfig
    base: Parameters
    nodes: tuple[Data, ...]
    shards: tuple[Data, ...]
    root_set: Data


@dataclass(frozen=True)
class SimulatedRound:
    """One round (from 1): what it started from (a model hash), what `evaluate_round` decided, and who attacked in truth."""

    number: int
    base_model: bytes
    outcome: RoundOutcome
    attacking: frozenset[int]
    participants: frozenset[int]


def simulate(
    federation: Federation, attack: Attack | None, malicious: frozenset[int], rounds: int, seed: int
) -> Iterator[SimulatedRound]:
    """Play `rounds` rounds, each from the model, the delta and the reputation that the one before left.

    Nobody signs and nobody stakes; everything that the evaluation itself decides is real. Expulsion is left to the caller.
    The same arguments give the same outcomes. Raises as `evaluate_round` and `learning.training.train` do.
    """
    participants = Participants(
        federation.task, Recipe.from_config(federation.config.recipe), federation.nodes, attack, malicious, seed
    )
    names = _Names(
        federation.config.sha256(),
        tuple(hashlib.sha256(encode_data(shard)).digest() for shard in federation.shards),
        hashlib.sha256(encode_data(federation.root_set)).digest(),
    )
    base, delta = federation.base, None
    reputation: dict[int, int] = {}
    refused: frozenset[int] = frozenset()
    for number in range(1, rounds + 1):
        sent = participants.updates(number, base, None if delta is None else flatten(delta), refused)
        inputs = _inputs(federation, names, number, base, delta, sent.updates, participants.samples, reputation, seed)
        outcome = evaluate_round(inputs)
        yield SimulatedRound(number, inputs.bound.base_model, outcome, sent.attacking, frozenset(sent.updates))
        delta = {name: outcome.merged[name] - base[name] for name in base}
        base, reputation = outcome.merged, dict(outcome.reputation)
        refused = frozenset(node.node for node in outcome.nodes if node.verdict in UNPAID)


def divide(data: Data, parts: int, alpha: float | None, seed: int, minimum: int = 1) -> tuple[Data, ...]:
    """The data among `parts` nodes: even (None), or each class by Dirichlet(`alpha`). Raises `DataError`."""
    if alpha is None or data.targets.ndim != 1 or data.targets.is_floating_point():
        shares = even_shares(len(data), parts, seed)
    else:
        shares = dirichlet_shares(data.targets.numpy(), parts, alpha, seed, minimum)
    return tuple(data.take(share) for share in shares)


def draw_malicious(nodes: int, share: float, seed: int) -> frozenset[int]:
    """round(share · nodes) node indices."""
    random = np.random.RandomState(seed)
    return frozenset(int(node) for node in random.permutation(nodes)[: round(share * nodes)])


@dataclass(frozen=True)
class _Names:
    config: bytes
    shards: tuple[bytes, ...]
    root_set: bytes


def _inputs(
    federation: Federation,
    names: _Names,
    number: int,
    base: Parameters,
    delta: Parameters | None,
    updates: Mapping[int, Vector | None],
    samples: tuple[int, ...],
    reputation: dict[int, int],
    seed: int,
) -> RoundInputs:
    bound = BoundInputs(number - 1, names.config, bytes(32), model_hash(base), bytes(32), names.shards, names.root_set)
    inputs_hash = bound.digest()
    submissions = []
    for node, vector in sorted(updates.items()):
        update = Update(number, inputs_hash, node, bound.base_model, bytes(32), samples[node])
        body = None if vector is None else encode_parameters(unflatten(vector, base))
        submissions.append(Submission(update, _UNSIGNED, None if body is None else bytes(32), body))
    return RoundInputs(
        domain=_NOWHERE,
        round=number,
        bound=bound,
        config=federation.config,
        task=federation.task,
        base=base,
        parent_delta=delta,
        roster=tuple(RosterEntry(node, _NOWHERE.ledger, samples[node]) for node in sorted(updates)),
        submissions=tuple(submissions),
        shards=federation.shards,
        root_set=federation.root_set,
        reputation=reputation,
        seed=hashlib.sha256(f"{seed}/{number}".encode()).digest(),
    )
