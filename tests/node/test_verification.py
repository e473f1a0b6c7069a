"""An aggregator that lies: every lie is found before anything is trained, signed or revealed on it."""

from collections.abc import Callable
from typing import Any

import pytest

from node.errors import AggregatorFault, BaseModelMismatch, ReceiptInvalid, RoundMisdescribed
from protocol.parameters import encode_parameters
from protocol.typed_data import Receipt
from tests.node.conftest import World
from tests.support.chain import account

ROUND, COMMIT = "GET /v1/rounds/1", "POST /v1/rounds/1/updates"


def changed(**fields: Any) -> Callable[[Any], Any]:
    return lambda honest: honest.model_copy(update=fields)


@pytest.mark.parametrize(
    "lie",
    [
        {"base_model": b"\x0f" * 32},
        {"parent_evidence": b"\x0f" * 32},
        {"shards": [b"\x0f" * 32]},
        {"shards": []},
        {"root_set": b"\x0f" * 32},
    ],
)
def test_a_round_described_other_than_it_was_bound_is_refused(world: World, lie: dict[str, Any]) -> None:
    world.service.tamper[ROUND] = changed(**lie)
    home = world.node(0)
    world.open_round()
    with pytest.raises(RoundMisdescribed, match="nothing was trained on its word") as caught:
        world.run(home)
    assert caught.value.bound == world.federation.client.round(1).inputs
    assert not world.service.commits


def test_inputs_that_are_only_told_are_not_what_is_signed(world: World) -> None:
    """The chain's inputs are signed, whatever the aggregator writes there."""
    world.service.tamper[ROUND] = changed(inputs=b"\x0f" * 32, parent=7, state="final")
    (report,) = world.run(world.node(0))
    assert report.verdict == "accept"
    assert world.federation.client.round(1).inputs.hex() in world.service.commits[1, 0][0].decode()


def test_another_base_model_is_refused(world: World, genesis: tuple[bytes, bytes]) -> None:
    import numpy as np

    other = {"weight": np.zeros((2, 4), np.float32), "bias": np.zeros(2, np.float32)}
    cases = {
        "it is 0x": encode_parameters(other),
        "'bias' is missing": encode_parameters({"weight": other["weight"]}),
        "not a complete safetensors file": genesis[1][:-1],
    }
    home = world.node(0)
    world.open_round()
    for problem, file in cases.items():
        world.service.models[genesis[0]] = file
        with pytest.raises(BaseModelMismatch, match=problem):
            world.run(home)
    assert not world.service.commits


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        (changed(leaf=b"\x0f" * 32), "it promises the leaf 0x0f0f"),
        (changed(node=1), "it is for node 1 in round 1"),
        (changed(round=2), "it is for node 0 in round 2"),
        (changed(signature=bytes(65)), "canonical form"),
        (changed(signature=b""), "a signature has 65 bytes"),
    ],
)
def test_a_receipt_that_promises_something_else_is_refused(world: World, lie: Callable[[Any], Any], problem: str) -> None:
    world.service.tamper[COMMIT] = lie
    home = world.node(0)
    with pytest.raises(ReceiptInvalid, match=problem):
        world.run(home)
    assert not world.service.bodies


def test_a_receipt_by_another_key_is_refused(world: World) -> None:
    world.service.signer = "stranger"
    with pytest.raises(ReceiptInvalid, match=f"{account('stranger').address} signed it, but the round's aggregator is"):
        world.run(world.node(0))
    assert not world.service.bodies


def test_a_receipt_for_another_federation_is_refused(world: World) -> None:
    from protocol.typed_data import Domain

    elsewhere = Domain(1, world.federation.client.domain.ledger)

    def sign(honest: Any) -> Any:
        receipt = Receipt(honest.round, honest.node, honest.leaf)
        return honest.model_copy(update={"signature": receipt.sign(elsewhere, account("aggregator"))})

    world.service.tamper[COMMIT] = sign
    with pytest.raises(AggregatorFault, match="but the round's aggregator is"):
        world.run(world.node(0))


def test_after_a_worthless_receipt_the_round_is_over_and_the_next_is_not(world: World) -> None:
    world.service.tamper[COMMIT] = changed(leaf=b"\x0f" * 32)
    home = world.node(0)
    with pytest.raises(ReceiptInvalid):
        world.run(home)
    world.service.tamper.clear()
    world.members.clear()
    world.close_round()
    world.propose()

    def pause(_: float) -> None:
        if world.federation.client.last_round() == 2:
            world.members = [0]
        world.direct()

    first, second = world.run(home, rounds=2, pause=pause)
    assert "the receipt for round 1 is worthless" in first.note
    assert (second.round, second.verdict, second.note) == (2, "accept", "")
    assert len(world.service.commits[1, 0]) == 1


def test_a_score_told_other_than_the_chain_has_it_is_told(world: World) -> None:
    def generous(honest: Any) -> Any:
        return honest.model_copy(update={"nodes": [node.model_copy(update={"score": 1}) for node in honest.nodes]})

    world.service.tamper["GET /v1/rounds/1/scores"] = generous
    (report,) = world.run(world.node(0))
    assert report.score == 10_000_000
    assert "the aggregator says score 1 and reward" in report.note
