"""Rounds in a pipeline: the next one is led while those before it wait in their windows; a Void one takes its children along.

Outcomes are proposed by anyone who holds the scorer's signature, as the contract allows, so nothing is evaluated here.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.service.phases import Phase
from ledger.records import RoundState
from protocol.evidence import update_leaf
from protocol.shares import pack_scores
from protocol.trees import NODE_TREE_DEPTH, tree_proof
from protocol.typed_data import Receipt
from tests.aggregator.service.support import Service, Stage, found_in, make_update, serve, staged
from tests.aggregator.service.test_server import running
from tests.support.chain import COIN, CONFIG, account
from tests.support.processes import until

PIPELINED = CONFIG
for change in (
    ("maximum_pending = 1", "maximum_pending = 3"),
    ("unbonding_seconds = 1000", "unbonding_seconds = 2000"),
    ('cap = "3500"', 'cap = "35000"'),
):
    PIPELINED = PIPELINED.replace(*change)
EVIDENCE, SCORES = b"\x03" * 32, (6_000_000, 4_000_000)


@pytest.fixture(scope="module")
def pipelined(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return found_in(tmp_path_factory.mktemp("pipelined"), PIPELINED)


@pytest.fixture
def stage(pipelined: Any, tmp_path: Path) -> Iterator[Stage]:
    with staged(pipelined, tmp_path) as copied:
        copied.home.blobs().put(EVIDENCE, b"the next round only needs it to be here")
        yield copied


def propose(stage: Stage, number: int) -> None:
    """A closed round gets an outcome that merges to the genesis model."""
    model, packed = stage.ledger.round(0).model_hash, pack_scores(SCORES)
    signature = stage.federation.attestation(number, EVIDENCE, model, packed).sign(stage.ledger.domain, account("scorer"))
    stage.federation.send("stranger", stage.ledger.propose(number, EVIDENCE, model, packed, [signature]))


def lead(service: Service, number: int) -> None:
    """Lead a round from its opening to its proposal."""
    view = service.open_round()
    assert (view.round, view.state) == (number, "open")
    service.commit(*(make_update(service.domain, view, node) for node in (0, 1)))
    service.turn(2)
    assert service.phase(number) is Phase.REVEALING
    propose(service.stage, number)
    service.turn()
    assert service.phase(number) is Phase.PROPOSED


def phases(service: Service) -> list[Phase]:
    return [found.phase for found in reversed(service.context.store.rounds())]


def test_rounds_are_led_while_those_before_wait_as_far_as_the_federation_allows(stage: Stage) -> None:
    with serve(stage) as service:
        for number in (1, 2, 3):
            lead(service, number)
            assert service.client.round(number).parent == number - 1
        service.turn(3)
        assert phases(service) == [Phase.PROPOSED] * 3  # a fourth has to wait for the first to be Final
        stage.chain.advance_to(stage.ledger.round(1).deadline)
        service.turn(3)
        assert phases(service) == [Phase.FINAL, Phase.PROPOSED, Phase.PROPOSED, Phase.OPEN]
        assert service.client.round(4).parent == 3
        stage.chain.advance(50)
        service.turn()
        assert phases(service)[:3] == [Phase.FINAL] * 3


def test_a_void_round_takes_its_children_along_and_all_they_reserved_is_given_back(stage: Stage) -> None:
    ledger, federation = stage.ledger, stage.federation
    with serve(stage) as service:
        lead(service, 1)
        lead(service, 2)
        service.open_round()
        assert ledger.reserved() == 3 * ledger.pool()
        break_a_receipt(service, 1)
        assert [ledger.round(number).state for number in (1, 2, 3)] == [RoundState.VOID] * 3
    with serve(stage) as service:  # killed meanwhile
        service.turn()
        assert phases(service) == [Phase.VOID] * 3
        assert [service.client.round(n).reason for n in (1, 2, 3)] == ["fault-proved", "parent-void", "parent-void"]
        with pytest.raises(Exception, match="AggregatorNotBonded"):
            service.turn(2)
        assert ledger.reserved() == 0
        assert all(ledger.round(number).released for number in (1, 2, 3))
        federation.send("stranger", ledger.deposit_bond(account("aggregator").address, 3 * COIN))
        lead(service, 4)
        assert service.client.round(4).parent == 0


def break_a_receipt(service: Service, number: int) -> None:
    """A node proves that the aggregator promised another leaf than it closed the round over."""
    ledger, domain = service.stage.ledger, service.domain
    leaves = {kept.update.node: kept.leaf for kept in service.context.store.updates(number)}
    (kept,) = [kept for kept in service.context.store.updates(number) if kept.update.node == 1]
    update = replace(kept.update, samples=kept.update.samples + 1)
    signature = update.sign(domain, account("signer 1"))
    receipt = Receipt(number, 1, update_leaf(update, signature).hash(domain.separator)).sign(domain, account("aggregator"))
    path = tree_proof(leaves, NODE_TREE_DEPTH, 1)
    proof = ledger.court.prove_broken_receipt(update, signature, receipt, leaves[1], path)
    service.stage.federation.send("owner 1", proof)


def test_a_round_bound_to_a_parent_that_became_void_is_bound_to_the_one_before(stage: Stage) -> None:
    with serve(stage) as service:
        lead(service, 1)
        service.turn()
        assert service.phase(2) is Phase.OPENING
        break_a_receipt(service, 1)
        stage.federation.send("stranger", stage.ledger.deposit_bond(account("aggregator").address, 3 * COIN))
        service.turn(3)
        assert phases(service) == [Phase.VOID, Phase.OPEN]
        assert service.client.round(2).parent == stage.ledger.round(2).parent == 0


def test_a_kill_in_the_middle_of_the_pipeline_loses_nothing_and_sends_nothing_twice(stage: Stage) -> None:
    ledger = stage.ledger
    with running(stage) as service:
        until(lambda: bool(service.client.rounds()))
        for node in (0, 1):
            sent = make_update(ledger.domain, service.client.round(1), node)
            service.client.commit(sent.update, sent.signature)
        until(lambda: service.client.round(1).state == "closed")
        propose(stage, 1)
        until(lambda: service.client.rounds()[0].round == 2)
        sent = make_update(ledger.domain, service.client.round(2), 0)
        receipt = service.client.commit(sent.update, sent.signature)
    with running(stage) as service:
        assert [view.state for view in service.client.rounds()] == ["open", "proposed"]
        assert service.client.commit(sent.update, sent.signature) == receipt
        other = make_update(ledger.domain, service.client.round(2), 1)
        service.client.commit(other.update, other.signature)
        until(lambda: ledger.round(2).state is RoundState.CLOSED)
    propose(stage, 2)
    stage.chain.advance_to(ledger.round(1).deadline)
    with running(stage) as service:
        until(lambda: [view.state for view in service.client.rounds()] == ["open", "proposed", "final"])
        assert service.client.rewards(0).claimable == ledger.reward(1, 0)
        assert service.client.rewards(0).pending == ledger.reward(2, 0)
    count = stage.chain.web3.eth.get_transaction_count(account("aggregator").address)
    assert count == 5  # three openings and two closings
