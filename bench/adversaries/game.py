"""A federation on the digits in which owner 0 cheats: who is paid what share, over several rounds and seeds.

An owner may stand behind several identities. Everything that decides about pay is the real `evaluate_round`; nobody signs.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from aggregator.evaluation.round import RoundInputs, RoundOutcome, Submission, evaluate_round
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
    """Task and data of a seed: `data` by owner, `shards` what is evaluated on."""

    task: Task
    base: Parameters
    data: tuple[Data, ...]
    shards: tuple[Data, ...]
    root: Data
    seed: int


@dataclass(frozen=True)
class Rule:
    """A pay rule: the config that decides, and what is done to all updates before.

    `clip(sent, declared samples)` gives what counts in their place, `repeated(sent, before)` the positions of those that repeat
    what another identity sent in the round before, which are refused.
    """

    config: FederationConfig
    clip: Callable[[Sequence[Vector], Sequence[int]], Sequence[Vector]] = lambda sent, samples: sent
    repeated: Callable[[Sequence[Vector], Sequence[Vector]], frozenset[int]] = lambda sent, before: frozenset()


@cache
def world(seed: int, shards: int = 1) -> World:
    """The digits' training data among the owners, by class skew; the evaluation data in so many equal shards."""
    source = read_task_source("digits")
    task = load_task(source)
    data = divide(load_data(task, "training"), OWNERS, ALPHA, seed, minimum=20)
    whole = load_data(task, "evaluation")
    parts = tuple(whole.take(part) for part in np.array_split(np.arange(len(whole)), shards))
    return World(task, initial_parameters(task, seed), data, parts, load_data(task, "root"), seed)


def default_config() -> FederationConfig:
    """What `fairshare aggregator init` writes."""
    return parse_config(federation_text("bench", "Digits"))


def honest(world: World) -> list[Identity]:
    """Everybody as they are."""
    return [Identity(owner, data, len(data)) for owner, data in enumerate(world.data)]


def shares(world: World, identities: list[Identity], rounds: int, rule: Rule) -> dict[int, float]:
    """The share of all pay that each owner gets over the rounds. Deterministic."""
    paid: dict[int, float] = dict.fromkeys(range(OWNERS), 0.0)
    for outcome in play(world, identities, rounds, rule):
        total = sum(outcome.scores) or 1
        for index, score in enumerate(outcome.scores):
            paid[identities[index].owner] += score / total / rounds
    return paid


def play(world: World, identities: list[Identity], rounds: int, rule: Rule) -> Iterator[RoundOutcome]:
    """The rounds' outcomes one after the other, everybody training with the recipe of the rule's config."""
    recipe, base, step = Recipe.from_config(rule.config.recipe), world.base, None
    reputation: dict[int, int] = {}
    before: dict[int, Vector] = {}
    sent_before: list[Vector] = []
    for number in range(1, rounds + 1):
        own = _trained(world, identities, recipe, base, number)
        trained: dict[int, Vector] = {}
        for one, update in zip(identities, own, strict=True):
            trained.setdefault(one.owner, update)
        random = np.random.Generator(np.random.PCG64(_draw(world.seed, number, -1)))
        view = View(trained, before or trained, step, random)
        sent = [one.send(update, view) for one, update in zip(identities, own, strict=True)]
        refused = rule.repeated(sent, sent_before)
        sent_before = sent
        # An update of zeros is in no coalition.
        sent = [np.zeros_like(update) if index in refused else update for index, update in enumerate(sent)]
        sent = list(rule.clip(sent, [one.declared for one in identities]))
        outcome = evaluate_round(_inputs(world, rule.config, identities, sent, number, base, step, reputation))
        yield outcome
        step = flatten({name: outcome.merged[name] - base[name] for name in base})
        base, reputation, before = outcome.merged, dict(outcome.reputation), trained


def _trained(world: World, identities: list[Identity], recipe: Recipe, base: Parameters, number: int) -> list[Vector]:
    own: list[Vector] = []
    for index, one in enumerate(identities):
        if one.trains_as is not None:
            own.append(own[one.trains_as])
        else:
            mine = replace(recipe, epochs=one.longer * recipe.epochs)
            own.append(flatten(train(world.task, base, one.data, mine, _draw(world.seed, number, index))))
    return own


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
        number - 1, rules.sha256(), bytes(32), model_hash(base), bytes(32), tuple(map(_name, world.shards)), _name(world.root)
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
        shards=world.shards,
        root_set=world.root,
        reputation=reputation,
        seed=hashlib.sha256(f"{world.seed}/{number}".encode()).digest(),
    )


def first_round(world: World, rules: FederationConfig, times: float) -> RoundInputs:
    """A first round in which owner 0 sends its update `times` over and all others are honest, for figures about a single one."""
    identities = honest(world)
    sent = _trained(world, identities, Recipe.from_config(rules.recipe), world.base, 1)
    sent[0] = sent[0] * np.float32(times)
    return _inputs(world, rules, identities, sent, 1, world.base, None, {})


def with_owner(world: World, mine: list[Identity], more: Mapping[int, Identity] | None = None) -> list[Identity]:
    """The federation with owner 0 behind `mine` (their training indices count from 0), and others replaced."""
    rest = [dict(more or {}).get(one.owner, one) for one in honest(world)[1:]]
    return [*(replace(one, owner=0) for one in mine), *rest]


@cache
def _name(data: Data) -> bytes:
    return hashlib.sha256(encode_data(data)).digest()
