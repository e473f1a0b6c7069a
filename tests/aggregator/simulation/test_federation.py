"""Simulated federations: the real evaluation, on the digits, with tiny settings."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.federation import Federation, SimulatedRound, divide, draw_malicious, simulate
from aggregator.simulation.vectors import flatten, unflatten
from learning.data import Data
from protocol.verdicts import Verdict
from tests.support.rounds import config, digits

NODES = 4


def federation(alpha: float | None = None) -> Federation:
    whole = digits()
    data = whole.task.load("training").take(np.arange(160))
    settings = config()
    shards = (whole.shards[0].take(np.arange(60)),)
    return Federation(whole.task, settings, whole.base, divide(data, NODES, alpha, 0, 8), shards, whole.root_set)


def play(attack: str | None, malicious: frozenset[int], rounds: int = 2, seed: int = 0) -> list[SimulatedRound]:
    return list(simulate(federation(), ATTACKS[attack] if attack else None, malicious, rounds, seed))


def test_every_round_starts_where_the_last_one_ended() -> None:
    rounds = play(None, frozenset(), 3)
    assert [one.number for one in rounds] == [1, 2, 3]
    for one in rounds:
        assert one.attacking == frozenset()
        assert one.participants == frozenset(range(NODES))
        assert all(node.verdict is Verdict.ACCEPT for node in one.outcome.nodes)
    gains = [one.outcome.utility_empty for one in rounds] + [rounds[-1].outcome.utility_all]
    assert gains == sorted(gains)
    for before, after in pairwise(rounds):
        assert after.base_model == before.outcome.model_hash
        # One model, but scored twice: on a grid of integers for each round's own updates.
        assert abs(before.outcome.utility_all - after.outcome.utility_empty) <= config().tolerance.utility


def test_the_same_seed_gives_the_same_rounds() -> None:
    first, again, other = (play("gaussian-matched", frozenset({1}), 2, seed) for seed in (4, 4, 5))
    assert [one.outcome.model_hash for one in first] == [one.outcome.model_hash for one in again]
    assert first[-1].outcome.model_hash != other[-1].outcome.model_hash


def test_malicious_nodes_attack_and_honest_ones_do_not() -> None:
    rounds = play("nan-inf", frozenset({0, 3}))
    for one in rounds:
        assert one.attacking == {0, 3}
        verdicts = {node.node: node.verdict for node in one.outcome.nodes}
        assert verdicts[0] is verdicts[3] is Verdict.REJECT
        assert verdicts[1] is verdicts[2] is Verdict.ACCEPT


def test_nodes_that_drop_out_are_absent_and_no_attackers() -> None:
    for one in play("dropout", frozenset({2})):
        assert one.attacking == frozenset()
        assert {node.node for node in one.outcome.nodes if node.verdict is Verdict.ABSENT} == {2}


def test_a_federation_of_nothing_but_liars_goes_on() -> None:
    whole = federation()
    rounds = list(simulate(whole, ATTACKS["nan-inf"], frozenset(range(NODES)), 2, 0))
    for one in rounds:
        assert not any(one.outcome.scores)
        np.testing.assert_equal(dict(one.outcome.merged), dict(whole.base))


def test_malicious_nodes_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="node 9"):
        play("sign-flip", frozenset({9}))


def test_data_is_divided_without_loss_or_overlap() -> None:
    data = digits().root_set
    for alpha in (None, 0.1):
        parts = divide(data, 5, alpha, 3, 2)
        rows = torch.cat([part.features for part in parts])
        assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, data.features.tolist()))
        assert min(map(len, parts)) >= 2
    values = Data(data.features, data.features[:, 0])
    assert sum(map(len, divide(values, 4, 0.3, 0))) == len(data)


def test_the_malicious_are_a_share_of_the_nodes_and_change_with_the_seed() -> None:
    assert len(draw_malicious(20, 0.3, 1)) == 6
    assert draw_malicious(20, 0.0, 1) == frozenset()
    assert draw_malicious(20, 1.0, 1) == frozenset(range(20))
    assert len({draw_malicious(20, 0.3, seed) for seed in range(5)}) > 1


def test_vectors_and_tensors_are_the_same_numbers() -> None:
    base = digits().base
    back = unflatten(flatten(base), base)
    np.testing.assert_equal(back, dict(base))
    with pytest.raises(ValueError, match="do not fill"):
        unflatten(flatten(base)[:-1], base)


def test_an_empty_share_of_attackers_is_no_attack() -> None:
    quiet, attacked = play(None, frozenset(), 1), play("ipm-strong", frozenset(), 1)
    assert quiet[0].outcome.model_hash == attacked[0].outcome.model_hash
    assert replace(attacked[0], outcome=quiet[0].outcome) == quiet[0]
