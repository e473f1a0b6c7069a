"""The adversaries' benchmark: its world pays as the rule says, and each kind of play ends as its guarantee does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.adversaries import faults
from bench.adversaries.cheats import CHEATS
from bench.adversaries.game import honest, shares, world
from bench.adversaries.ground import ground
from bench.adversaries.lies import LIES, honestly_settled, told
from bench.adversaries.rules import ALONE, NAMES, rule
from bench.adversaries.stage import digits, gains, honestly, prepared
from ledger.records import RoundState


def cheat(name: str) -> dict[int, float]:
    found = next(one for one in CHEATS if one.name == name)
    return shares(world(0), found.make(world(0)), 1, rule(ALONE))


def test_all_pay_is_shared_and_zeros_get_none() -> None:
    usual = shares(world(0), honest(world(0)), 1, rule(ALONE))
    assert sum(usual.values()) == pytest.approx(1)
    assert cheat("free rider: zeros")[0] == 0
    # The norm is clipped to the round's median: beyond it no factor pays more than another.
    assert cheat("amplified x4")[0] == pytest.approx(cheat("amplified x9")[0], rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_clips_to_its_own_norm(name: str) -> None:
    sent = [np.full(4, length, np.float32) for length in (1, 2, 4)]
    clipped = rule(name).clip(sent, (32, 32, 32))
    assert all(np.linalg.norm(one) <= np.linalg.norm(two) + 1e-6 for one, two in zip(clipped, sent, strict=True))


def test_a_fault_costs_the_deposit_and_accusing_oneself_half_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "the aggregator breaks a receipt"
    monkeypatch.setattr(faults, "FAULTS", {name: faults.FAULTS[name]})
    found = list(faults.rows(ground(tmp_path / "ground"), tmp_path))
    assert [row.value for row in found] == [-3, -1.5, 1]
    assert all(row.met for row in found)


def test_a_swapped_model_is_not_settled_and_an_honest_round_is(tmp_path: Path) -> None:
    one = prepared(tmp_path / "one", 2, honestly(digits(2)))
    usual = honestly_settled(one, tmp_path / "honest")
    lying = told(one, tmp_path / "lying", LIES["swaps the model"], 2)
    assert (lying.state, lying.gained) == (RoundState.VOID, replace(usual, tokens=0))
    assert [row.value for row in gains("swaps the model", usual, lying.gained)] == [-100, 0]
