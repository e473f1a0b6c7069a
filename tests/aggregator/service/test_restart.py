"""Killed between any two steps, or between a step's transaction and its row: the next service goes on, and sends nothing twice.

Here each "kill" drops the service and builds a new one on the same files; `test_server.py` kills the real process.
"""

from collections.abc import Callable

import pytest

from aggregator.service.journal import key_of
from aggregator.service.phases import Phase
from aggregator.service.store import Store
from ledger.records import RoundState
from tests.aggregator.service.support import Service, Stage, make_update, serve
from tests.support.chain import account


def sent_transactions(stage: Stage) -> int:
    """How many transactions the aggregator's account has on chain."""
    return int(stage.chain.web3.eth.get_transaction_count(account("aggregator").address))


class Killed(BaseException):
    """Like SIGKILL, nothing handles it."""


def test_a_new_service_for_every_single_turn_leads_a_round_to_its_end(stage: Stage) -> None:
    phases = []
    for _ in range(12):
        with serve(stage) as service:
            service.turn()
            phases.append(service.phase(1))
            view = service.client.rounds()[0] if service.phase(1) is not Phase.OPENING else None
            if view is not None and view.round == 1:
                sent = [make_update(service.domain, view, node) for node in (0, 1)]
                if service.phase(1) is Phase.OPEN:
                    service.commit(*sent)
                if service.phase(1) is Phase.REVEALING:
                    service.reveal(*sent)
                if service.phase(1) is Phase.PROPOSED:
                    stage.chain.advance(50)
    expected = ["opening", "open", "closing", "revealing", "evaluating", "attesting", "proposing", "proposed", "final"]
    assert phases[:9] == expected
    assert stage.ledger.round(1).state is RoundState.FINAL
    # open, close, propose; and the next round's open
    assert sent_transactions(stage) == 4


@pytest.mark.parametrize("step", ["open", "close", "abandon", "release"])
def test_a_transaction_that_landed_before_the_kill_is_found_again(
    stage: Stage, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit_all(service: Service) -> None:
        view = service.client.round(1)
        service.commit(*(make_update(service.domain, view, node) for node in (0, 1)))

    def run_out(service: Service) -> None:
        stage.chain.advance(60)

    lead: dict[str, tuple[Callable[[Service], None], int]] = {
        "open": (lambda service: None, 1),
        "close": (commit_all, 1),
        "abandon": (run_out, 1),
        "release": (run_out, 2),
    }
    prepare, turns = lead[step]
    with serve(stage) as service:
        if step == "open":
            service.turn()
        else:
            service.open_round()
            prepare(service)
            service.turn(turns)
        before = sent_transactions(stage)
        with monkeypatch.context() as killing:
            for method in ("opened", "move", "note"):
                killing.setattr(Store, method, _killed)
            with pytest.raises(Killed):
                service.turn()
    assert sent_transactions(stage) == before + 1
    with serve(stage) as service:
        service.turn()
        assert sent_transactions(stage) == before + 1
        expected = {"open": "open", "close": "closed", "abandon": "void", "release": "void"}
        assert service.client.round(1).state == expected[step]
        # What it cost is known although the row was written only after the restart.
        sender, web3 = service.coordinator._steps.sender, stage.chain.web3
        entries = [sender.recorded(key_of(name, 1)) for name in ("open", "close", "abandon", "release")]
        receipts = [web3.eth.get_transaction_receipt(entry.tx_hash) for entry in entries if entry]  # type: ignore[arg-type]
        assert service.client.round(1).gas == sum(receipt["gasUsed"] for receipt in receipts)


def _killed(*arguments: object, **named: object) -> None:
    raise Killed


def test_a_receipt_survives_and_its_commitment_is_in_the_root_that_is_closed(stage: Stage) -> None:
    with serve(stage) as service:
        view = service.open_round()
        sent = [make_update(service.domain, view, node) for node in (0, 1)]
        receipt = service.client.commit(sent[0].update, sent[0].signature)
    with serve(stage) as service:
        assert service.client.commit(sent[0].update, sent[0].signature) == receipt
        service.commit(sent[1])
        service.turn(2)
        leaves = {kept.update.node: kept.leaf for kept in service.context.store.updates(1)}
        assert leaves[0] == receipt.leaf
        assert stage.ledger.round(1).update_root == service.client.round(1).update_root
