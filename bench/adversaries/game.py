"""A federation on the digits in which owner 0 cheats: who is paid what share, over several rounds and seeds.

An owner may stand behind several identities. Everything that decides about pay is the real `evaluate_round`; nobody signs.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from aggregator.evaluation.round import RoundInputs, Submission, evaluate_round
from aggregator.simulation.federation import divide
from aggregator.simulation.vectors import Vector, flatten, unflatten
from aggregator.template import federation_text
from learning.calls import load_data
from learning.data import Data, encode_data
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.task import Task
from learning.training import train
from protocol.config import FederationConfig, parse_config
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, encode_parameters, model_hash
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Update

OWNERS = 8
ALPHA = 0.5
NOWHERE = Domain(1, "0x0000000000000000000000000000000000000000")


@dataclass(frozen=True)
class View:
    """What a cheating identity knows: all that was trained this round and the last, by owner, and the last global step."""

    trained: Mapping[int, Vector]
    before: Mapping[int, Vector]
    step: Vector | None
    samples: Mapping[int, int]
    random: np.random.Generator

    def noise(self, like: Vector, share: float) -> Vector:
        """Gaussian noise of `share` times the norm of `like`."""
        drawn = self.random.standard_normal(like.shape)
        return np.asarray(drawn * (share * np.linalg.norm(like) / np.linalg.norm(drawn)), np.float32)


@dataclass(frozen=True)
class Identity:
    """One registered node. `send(trained, view)` makes its update of what it trained on `data`."""

    owner: int
    data: Data
    declared: int
    send: Callable[[Vector, View], Vector] = lambda trained, view: trained
    trains_as: int | None = None  # shares the training of an earlier identity
    longer: int = 1  # how many times the recipe's epochs it trains


@dataclass(frozen=True)
class World:
    """Task and data of a seed; `others` are the honest owners' data, `own` that of owner 0."""

    task: Task
    base: Parameters
    data: tuple[Data, ...]
    shard: Data
    root: Data
    seed: int


@cache
def world(seed: int) -> World:
    """The digits' training data among the owners, by class skew."""
    source = read_task_source("digits")
    task = load_task(source)
    data = divide(load_data(task, "training"), OWNERS, ALPHA, seed, minimum=20)
    return World(task, initial_parameters(task, seed), data, load_data(task, "evaluation"), load_data(task, "root"), seed)


def config(gated: bool) -> FederationConfig:
    """The default config, with the cohort of virtual nodes or without: then the pay rule stands alone."""
    found = parse_config(federation_text("bench", "Digits"))
    return found if gated else found.model_copy(update={"gate": found.gate.model_copy(update={"virtual_nodes": 0})})


def honest(world: World) -> list[Identity]:
    """Everybody as they are."""
    return [Identity(owner, data, len(data)) for owner, data in enumerate(world.data)]


def shares(world: World, identities: list[Identity], rounds: int, gated: bool = False, clipped: bool = False) -> dict[int, float]:
    """The share of all pay that each owner gets over the rounds. Deterministic.

    `clipped`: every update is scaled down to the median norm before it is sent. Its d is 1 then, and the merge divides by
    Σ n_j instead of Σ n_j·d_j: the other pay rule.
    """
    rules, base, step = config(gated), world.base, None
    recipe = Recipe("sgd", 0.05, 32, 2, momentum=0.9)
    reputation: dict[int, int] = {}
    paid: dict[int, float] = dict.fromkeys(range(OWNERS), 0.0)
    before: dict[int, Vector] = {}
    for number in range(1, rounds + 1):
        own: list[Vector] = []
        for index, one in enumerate(identities):
            if one.trains_as is not None:
                own.append(own[one.trains_as])
            else:
                mine = replace(recipe, epochs=one.longer * recipe.epochs)
                own.append(flatten(train(world.task, base, one.data, mine, _draw(world.seed, number, index))))
        trained: dict[int, Vector] = {}
        for one, update in zip(identities, own, strict=True):
            trained.setdefault(one.owner, update)
        samples = {owner: len(data) for owner, data in enumerate(world.data)}
        view = View(
            trained, before or trained, step, samples, np.random.Generator(np.random.PCG64(_draw(world.seed, number, -1)))
        )
        sent = [one.send(update, view) for one, update in zip(identities, own, strict=True)]
        outcome = evaluate_round(
            _inputs(world, rules, identities, _clip(sent) if clipped else sent, number, base, step, reputation)
        )
        total = sum(outcome.scores) or 1
        for index, score in enumerate(outcome.scores):
            paid[identities[index].owner] += score / total / rounds
        step = flatten({name: outcome.merged[name] - base[name] for name in base})
        base, reputation, before = outcome.merged, dict(outcome.reputation), trained
    return paid


def _clip(sent: list[Vector]) -> list[Vector]:
    norms = [float(np.linalg.norm(update.astype(np.float64))) for update in sent]
    nonzero = sorted(norm for norm in norms if norm)
    reference = nonzero[(len(nonzero) - 1) // 2] if nonzero else 1.0
    # A little below the reference, so that rounding cannot make d fall under 1.
    return [
        np.asarray(update * np.float32(min(1.0, 0.999999 * reference / norm)), np.float32) if norm > reference else update
        for update, norm in zip(sent, norms, strict=True)
    ]


def _draw(seed: int, number: int, index: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}/{index}".encode()).digest()[:4])


def _inputs(
    world: World,
    rules: FederationConfig,
    identities: list[Identity],
    sent: list[Vector],
    number: int,
    base: Parameters,
    step: Vector | None,
    reputation: Mapping[int, int],
) -> RoundInputs:
    bound = BoundInputs(
        number - 1, rules.sha256(), bytes(32), model_hash(base), bytes(32), (_name(world.shard),), _name(world.root)
    )
    submissions = []
    for index, (one, vector) in enumerate(zip(identities, sent, strict=True)):
        update = Update(number, bound.digest(), index, bound.base_model, bytes(32), one.declared)
        submissions.append(Submission(update, bytes(65), bytes(32), encode_parameters(unflatten(vector, base))))
    return RoundInputs(
        domain=NOWHERE,
        round=number,
        bound=bound,
        config=rules,
        task=world.task,
        base=base,
        parent_delta=None if step is None else unflatten(step, base),
        roster=tuple(RosterEntry(index, NOWHERE.ledger, 1 << 31) for index in range(len(identities))),
        submissions=tuple(submissions),
        shards=(world.shard,),
        root_set=world.root,
        reputation=reputation,
        seed=hashlib.sha256(f"{world.seed}/{number}".encode()).digest(),
    )


def first_round(world: World) -> RoundInputs:
    """An honest first round, for figures about a single one."""
    identities = honest(world)
    recipe = Recipe("sgd", 0.05, 32, 2, momentum=0.9)
    sent = [flatten(train(world.task, world.base, one.data, recipe, _draw(world.seed, 1, i))) for i, one in enumerate(identities)]
    return _inputs(world, config(gated=False), identities, sent, 1, world.base, None, {})


def with_owner(world: World, mine: list[Identity], more: Mapping[int, Identity] | None = None) -> list[Identity]:
    """The federation with owner 0 behind `mine` (their training indices count from 0), and others replaced."""
    rest = [dict(more or {}).get(one.owner, one) for one in honest(world)[1:]]
    return [*(replace(one, owner=0) for one in mine), *rest]


@cache
def _name(data: Data) -> bytes:
    return hashlib.sha256(encode_data(data)).digest()
