"""The gate as a whole on real digits: who is named, why, and what happens when there is little to compare with."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from aggregator.evaluation.gate.fusion import nats
from aggregator.evaluation.gate.judgement import GateInputs, Judgement, judge
from aggregator.evaluation.gate.statistics import Statistic
from aggregator.evaluation.gate.verdict import FULL_WEIGHT, Claimed
from aggregator.evaluation.round import evaluate_round, gate_inputs
from learning.data import Data
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.task import Task
from learning.training import train
from protocol.parameters import Parameters, encode_parameters, model_hash
from protocol.verdicts import Reason, Verdict
from tests.support.rounds import Sent, config, digits, digits_round, filled, honest, scaled, trained

CONFIG = config(recipe={"epochs": 2}, gate={"virtual_nodes": 24})
PARTS = 6
REFUSED = (Verdict.REJECT, Verdict.DUPLICATE)


def sent_by(*changed: tuple[int, Sent]) -> list[Sent]:
    """Six honest nodes with label-skewed data, some of them changed."""
    sent = [honest(part, PARTS) for part in range(1, PARTS + 1)]
    for node, one in changed:
        sent[node] = one
    return sent


def inputs_of(sent: list[Sent], **settings: Any) -> GateInputs:
    return gate_inputs(digits_round(sent, **{"config": CONFIG, **settings}))


@cache
def noise(node: int) -> Sent:
    """Gaussian noise of the length that an honest update has."""
    update, samples = trained(node + 1, PARTS)
    random = np.random.default_rng(node)
    drawn = {name: random.normal(size=array.shape).astype(np.float32) for name, array in update.items()}
    factor = np.sqrt(sum(np.square(a).sum() for a in update.values()) / sum(np.square(a).sum() for a in drawn.values()))
    return Sent(scaled(drawn, float(factor)), samples)


@cache
def clean() -> Judgement:
    return judge(inputs_of(sent_by()))


def verdicts(judgement: Judgement) -> list[Verdict]:
    return [decision.verdict for decision in judgement.decisions.values()]


def test_honest_nodes_with_skewed_data_are_accepted() -> None:
    assert verdicts(clean()) == [Verdict.ACCEPT] * PARTS
    assert all(decision.weight > FULL_WEIGHT // 3 for decision in clean().decisions.values())
    assert len({values[Statistic.REFERENCE] for values in clean().measured.values()}) == 1


def test_what_is_sent_twice_over_counts_hardly_more_than_once() -> None:
    """Whatever is sent counts for the length of virtual nodes with its label shares and sample count, which scaling leaves."""
    gains = []
    for node in range(PARTS):
        twice = judge(inputs_of(sent_by((node, honest(node + 1, PARTS, scale=2)))))
        assert twice.measured[node][Statistic.ALLOWED] == clean().measured[node][Statistic.ALLOWED]
        counted = [found.decisions[node].weight * found.measured[node][Statistic.NORM] for found in (clean(), twice)]
        gains.append(counted[1] / counted[0])
    assert sum(gains) / PARTS < 1.25


ATTACKS = {
    "flipped labels": honest(3, PARTS, flipped=True),
    "flipped sign": honest(3, PARTS, scale=-1),
    "noise": noise(2),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attacker_is_named_and_nobody_else(name: str) -> None:
    found = judge(inputs_of(sent_by((2, ATTACKS[name])))).decisions
    assert found[2].verdict is Verdict.REJECT
    assert found[2].reason.sentence
    assert not any(decision.verdict in REFUSED for node, decision in found.items() if node != 2)
    assert (found[2].reputation or 0) > max(found[node].reputation or 0 for node in found if node != 2)


def test_a_majority_of_attackers_is_named_too() -> None:
    flipped = [(node, honest(node + 1, PARTS, scale=-1)) for node in (0, 1, 2, 4)]
    found = judge(inputs_of(sent_by(*flipped))).decisions
    assert {node for node, decision in found.items() if decision.verdict in REFUSED} == {0, 1, 2, 4}


def test_all_malicious_leaves_the_base_model_and_pays_nobody() -> None:
    inputs = digits_round([honest(part, PARTS, scale=-1) for part in range(1, PARTS + 1)], config=CONFIG, reputation={9: 7})
    outcome = evaluate_round(inputs)
    assert {node.verdict for node in outcome.nodes} == {Verdict.REJECT}
    assert outcome.model_hash == model_hash(inputs.base)
    assert not any(outcome.scores)
    assert outcome.reputation[9] == 7
    assert all(outcome.reputation[node] > 0 for node in range(PARTS))


def test_copies_with_a_little_noise_leave_the_lowest_index() -> None:
    update, samples = trained(2, PARTS)
    random = np.random.default_rng(0)
    copies = []
    for node in (3, 5):
        jitter = {name: array + random.normal(size=array.shape).astype(np.float32) * 1e-4 for name, array in update.items()}
        copies.append((node, Sent(jitter, samples)))
    found = judge(inputs_of(sent_by(*copies))).decisions
    assert [found[node].verdict for node in (3, 5)] == [Verdict.DUPLICATE] * 2
    assert found[3].reason is Reason.SIMILAR_TO_LOWER_INDEX
    assert [found[node].verdict for node in (0, 2, 4)] == [Verdict.ACCEPT] * 3


@pytest.mark.parametrize("strength", [0.01, 0.1, 0.3])
def test_copies_under_noise_are_copies_still(strength: float) -> None:
    """Under a third of the update's length in noise no closer than honest nodes are, but by no difference that training makes."""
    update, samples = trained(2, PARTS)
    random = np.random.default_rng(0)
    whole = np.concatenate([array.ravel() for array in update.values()])
    scale = np.float32(strength * np.linalg.norm(whole) / np.sqrt(whole.size))
    noisy = {name: array + random.normal(size=array.shape).astype(np.float32) * scale for name, array in update.items()}
    found = judge(inputs_of(sent_by((3, Sent(noisy, samples)))))
    assert found.decisions[3].reason is Reason.SIMILAR_TO_LOWER_INDEX
    # Who is copied belongs to those who collude, and has evidence against it too.
    assert not any(found.decisions[node].verdict in REFUSED for node in (0, 2, 4, 5))


def one_class(kind: int, half: int) -> Sent:
    """Every other sample of one class among all nodes' data."""
    whole = digits()
    data = whole.task.load("training")
    own = data.take(np.flatnonzero((data.targets == kind).numpy())[half::2])
    return Sent(train(whole.task, whole.base, own, Recipe.from_config(CONFIG.recipe), half), len(own))


def test_honest_nodes_of_the_same_one_class_are_no_copies() -> None:
    found = judge(inputs_of(sent_by((2, one_class(0, 0)), (4, one_class(0, 1)))))
    assert not any(decision.verdict in REFUSED for decision in found.decisions.values())


def test_all_identical_updates_leave_the_lowest_index_alone() -> None:
    found = judge(inputs_of([honest(2, PARTS)] * 4)).decisions
    assert [found[node].reason for node in (1, 2, 3)] == [Reason.SAME_AS_LOWER_INDEX] * 3


def test_a_node_that_repeats_the_parents_delta_is_seen() -> None:
    first = digits_round(sent_by(), config=CONFIG)
    base = evaluate_round(first).merged
    delta = {name: base[name] - first.base[name] for name in base}
    recipe = Recipe("sgd", 0.05, 32, 2, momentum=0.9)
    sent = {}
    for node in range(5):
        data = first.task.load(f"{node + 1}/{PARTS}")
        sent[node] = (train(first.task, base, data, recipe, node), len(data))
    sent[5] = (delta, 200)
    inputs = replace(
        gate_inputs(first),
        base=base,
        parent_delta=delta,
        claimed={node: Claimed(samples, samples) for node, (_, samples) in sent.items()},
        bodies={node: encode_parameters(update) for node, (update, _) in sent.items()},
    )
    measured = judge(inputs).measured
    assert measured[5][Statistic.REPLAY] > 2 * max(abs(measured[node][Statistic.REPLAY]) for node in range(5))


def test_the_same_inputs_give_the_same_statistics_and_another_seed_others() -> None:
    again = judge(inputs_of(sent_by()))
    assert again.measured == clean().measured
    assert judge(inputs_of(sent_by(), seed=bytes(32))).measured != again.measured


def test_decisions_follow_the_published_statistics_and_not_the_own_ones() -> None:
    inputs = inputs_of(sent_by())
    lie = list(clean().measured[1])
    lie[Statistic.CONE] = lie[Statistic.AFFINE] = 8 << 20
    judged = judge(inputs, {**clean().measured, 1: tuple(lie)})
    assert judged.decisions[1].verdict is Verdict.REJECT
    assert judged.published[1] == tuple(lie)
    # Measured anew is only what the published values send into the dear check: a verifier needs it to compare.
    assert judged.measured[1][Statistic.CONE] == clean().measured[1][Statistic.CONE]


def root_of(size: int, without: int | None = None) -> Data:
    root = digits_round(sent_by()).root_set
    chosen = np.array([k for k in range(len(root)) if without is None or int(root.targets[k]) != without])
    return root.take(chosen[:size])


@pytest.mark.parametrize(("size", "without"), [(20, None), (90, 4)], ids=["twenty samples", "a class missing"])
def test_a_poor_root_set_refuses_no_honest_node_and_expels_nobody(size: int, without: int | None) -> None:
    inputs = replace(
        inputs_of(sent_by((2, honest(3, PARTS, flipped=True)))),
        root_set=root_of(size, without),
        reputation=dict.fromkeys(range(PARTS), nats(5000)),
    )
    found = judge(inputs).decisions
    assert not any(decision.verdict in REFUSED for decision in found.values())
    assert all((decision.reputation or 0) < nats(5000) for decision in found.values()), "suspicions only fall"


@pytest.mark.parametrize("how", ["too small", "not wanted", "diverging"])
def test_without_virtual_nodes_the_hard_checks_stay(how: str) -> None:
    inputs = inputs_of([*sent_by(), Sent(filled(100.0)), honest(1, PARTS), Sent(filled(np.nan))])
    if how == "too small":
        inputs = replace(inputs, root_set=root_of(3))
    elif how == "not wanted":
        inputs = replace(inputs, config=config(gate={"virtual_nodes": 0}))
    else:
        inputs = replace(inputs, root_set=Data(inputs.root_set.features * 1e30, inputs.root_set.targets))
    judgement = judge(inputs)
    assert {values[Statistic.REFERENCE] for values in judgement.measured.values()} == {0}
    reasons = [decision.reason for decision in judgement.decisions.values()]
    assert reasons[PARTS:] == [Reason.NORM_TOO_LARGE, Reason.SAME_AS_LOWER_INDEX, Reason.NOT_FINITE]
    assert verdicts(judgement)[:PARTS] == [Verdict.ACCEPT] * PARTS


@pytest.mark.parametrize("sent", [[], [Sent(None)], [Sent(filled(0))], [Sent(filled(np.nan))]])
def test_nobody_to_judge_is_no_fault(sent: list[Sent]) -> None:
    assert all(decision.weight == 0 for decision in judge(inputs_of(sent)).decisions.values())


def test_one_node_alone_is_compared_with_the_virtual_ones() -> None:
    assert judge(inputs_of([honest(2, PARTS)])).decisions[0].verdict is Verdict.ACCEPT
    assert judge(inputs_of([honest(2, PARTS, scale=-1)])).decisions[0].verdict is Verdict.REJECT


class Plane(Task):
    """A regression: no classes anywhere."""

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().mean()

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (-(outputs - targets).abs().double()).exp().squeeze(1)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.score(outputs, targets)

    def load(self, source: str | None) -> Data:
        features = torch.from_numpy(np.random.RandomState(int(source or 0)).normal(size=(120, 6)).astype(np.float32))
        return Data(features, features[:, :2].sum(1, keepdim=True) + 0.1 * features[:, 2:3].square())


def test_a_task_without_classes_uses_quarters_of_its_targets() -> None:
    task, recipe = Plane(), Recipe("sgd", 0.05, 32, 2, momentum=0.9)
    base = initial_parameters(task, 0)
    sent: dict[int, Parameters] = {}
    for node in range(5):
        data = task.load(str(node + 10))
        few = np.argsort(data.targets[:, 0].numpy())[20 * (node % 2) : 20 * (node % 2) + 90]  # skewed
        sent[node] = train(task, base, data.take(few), recipe, node)
    sent[5] = scaled(sent[0], -1)
    inputs = GateInputs(
        task=task,
        config=CONFIG,
        base=base,
        parent_delta=None,
        claimed=dict.fromkeys(sent, Claimed(90, 100)),
        bodies={node: encode_parameters(update) for node, update in sent.items()},
        shards=(task.load("1"),),
        root_set=task.load("2"),
        reputation={},
        seed=bytes(32),
    )
    found = judge(inputs).decisions
    assert [node for node, decision in found.items() if decision.verdict in REFUSED] == [5]
