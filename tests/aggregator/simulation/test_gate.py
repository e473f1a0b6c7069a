"""The gate in whole federations of the digits: attacks and partitions that its benchmark does not have, and honest oddities."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from aggregator.simulation.attacks.attack import Attack, View
from aggregator.simulation.federation import Federation, SimulatedRound, divide, simulate
from aggregator.template import federation_text
from learning.data import Data
from protocol.config import parse_config
from protocol.verdicts import Reason, Verdict
from tests.support.rounds import digits

NODES = 14
REFUSED = (Verdict.REJECT, Verdict.DUPLICATE)


def federation(odd: Callable[[Data], Data] | None = None) -> Federation:
    """The config that `init` writes, on nodes of 96 images; node 0 holds what `odd` makes of the training data."""
    whole = digits()
    training = whole.task.load("training")
    nodes = divide(training, NODES, None, 4)
    text = federation_text("federation", "Digits").replace("work = 10000000000000", "work = 1")
    base = whole.base
    made = Federation(whole.task, parse_config(text), base, nodes, whole.shards, whole.task.load("root"))
    return made if odd is None else replace(made, nodes=(odd(training), *nodes[1:]))


def one_class(data: Data) -> Data:
    return data.take(np.flatnonzero(data.targets.numpy() == 3)[:96])


def tiny(data: Data) -> Data:
    return data.take(np.arange(5))


def dimmer(data: Data) -> Data:
    few = data.take(np.arange(96))
    return Data(few.features * 0.7, few.targets)


def noisier(data: Data) -> Data:
    few = data.take(np.arange(96))
    noise = torch.randn(few.features.shape, generator=torch.Generator().manual_seed(0))
    return Data((few.features + 0.1 * noise).clamp(0, 1), few.targets)


def refused(rounds: list[SimulatedRound], node: int) -> int:
    return sum(found.verdict in REFUSED for one in rounds for found in one.outcome.nodes if found.node == node)


@pytest.mark.parametrize("odd", [one_class, tiny, dimmer, noisier])
def test_unusual_honest_nodes_are_not_expelled_and_keep_their_rounds(odd: Callable[[Data], Data]) -> None:
    rounds = list(simulate(federation(odd), None, frozenset(), 4, 0))
    reasons = [found.reason for one in rounds for found in one.outcome.nodes]
    assert Reason.EXPELLABLE not in reasons
    assert refused(rounds, 0) == 0
    assert sum(refused(rounds, node) for node in range(1, NODES)) <= 1


def negatives(data: Data) -> Data:
    few = data.take(np.arange(96))
    return Data(1 - few.features, few.targets)


def test_inputs_of_a_kind_that_the_root_set_lacks_are_refused_and_never_lead_to_expulsion() -> None:
    rounds = list(simulate(federation(negatives), None, frozenset(), 10, 0))
    found = [one for each in rounds for one in each.outcome.nodes if one.node == 0]
    assert refused(rounds, 0) >= 5, "or this tests nothing"
    assert not any(one.reason is Reason.EXPELLABLE for one in found)
    assert sum(refused(rounds, node) for node in range(1, NODES)) <= 1


def test_a_root_set_of_two_kinds_spares_honest_nodes_of_either() -> None:
    whole = federation(negatives)
    features = whole.root_set.features.clone()
    features[::3] = 1 - features[::3]
    rounds = list(simulate(replace(whole, root_set=Data(features, whole.root_set.targets)), None, frozenset(), 6, 0))
    assert [refused(rounds, node) for node in range(NODES)] == [0] * NODES


def rotated(view: View) -> list[np.ndarray]:
    """Every tensor's numbers in another order: the right norm and histogram, in a direction that means nothing."""
    return [own[::-1].copy() for own in view.own]


def towards_zero(view: View) -> list[np.ndarray]:
    """Unlearns: away from what the honest nodes learn, at their norm, each with noise of its own."""
    noise = view.random.normal(0, view.norm / np.sqrt(view.own.shape[1]) / 3, view.own.shape).astype(np.float32)
    return list(-view.mean * (view.norm / np.linalg.norm(view.mean)) + noise)


@pytest.mark.parametrize("send", [rotated, towards_zero])
def test_attacks_outside_the_suite_are_named_and_paid_nothing(send: Callable[[View], list[np.ndarray]]) -> None:
    attack = Attack(send.__name__, "this test", send)
    malicious = frozenset({2, 5, 9, 11})
    rounds = list(simulate(federation(), attack, malicious, 4, 0))
    caught = [found.verdict in REFUSED for one in rounds for found in one.outcome.nodes if found.node in malicious]
    assert np.mean(caught) >= 0.9
    assert sum(refused(rounds, node) for node in set(range(NODES)) - malicious) <= 1
    assert not any(found.score for found in rounds[-1].outcome.nodes if found.node in malicious)


def test_nobody_is_expelled_for_a_partition_by_class_pairs() -> None:
    # Every node holds two classes only, neighbours share one: a partition that no Dirichlet draw resembles.
    training = digits().task.load("training")
    held: list[list[int]] = [[] for _ in range(NODES)]
    for label in range(10):
        holders = [node for node in range(NODES) if label in (node % 10, (node + 1) % 10)]
        members = np.flatnonzero(training.targets.numpy() == label)
        for holder, part in zip(holders, np.array_split(members, len(holders)), strict=True):
            held[holder] += part.tolist()
    nodes = tuple(training.take(np.array(own)) for own in held)
    rounds = list(simulate(replace(federation(), nodes=nodes), None, frozenset(), 4, 0))
    assert not any(found.reason is Reason.EXPELLABLE for one in rounds for found in one.outcome.nodes)
