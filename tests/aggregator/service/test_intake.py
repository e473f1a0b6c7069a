"""Who may commit to what: every way to be refused, and that nothing is lost by it."""

from dataclasses import replace

import pytest

from aggregator.refusals import SecondUpdate
from aggregator.service.phases import Phase
from protocol.errors import ServiceRefused
from protocol.evidence import update_leaf
from protocol.typed_data import Receipt
from tests.aggregator.service.support import Sent, Service, make_update, problem
from tests.support.chain import account


def refused(service: Service, sent: Sent) -> tuple[int, str]:
    """The problem of a commitment; nothing may be kept of it."""
    before = service.context.store.counts()
    found = problem(lambda: service.client.commit(sent.update, sent.signature))
    assert service.context.store.counts() == before
    return found


def test_a_receipt_is_signed_by_the_aggregator_over_the_leaf_that_close_will_fix(served: Service) -> None:
    sent = make_update(served.domain, served.open_round(), 0)
    receipt = served.client.commit(sent.update, sent.signature)
    domain = served.stage.ledger.domain
    assert receipt.leaf == update_leaf(sent.update, sent.signature).hash(domain.separator)
    assert Receipt(1, 0, receipt.leaf).signer(domain, receipt.signature) == account("aggregator").address
    assert served.client.upload(1, 0).committed
    assert not served.client.upload(1, 1).committed
    assert served.client.round(1).commits == 1


def test_the_same_update_again_gets_the_same_receipt_even_when_the_round_is_over(served: Service) -> None:
    view = served.open_round()
    sent = make_update(served.domain, view, 0)
    first = served.client.commit(sent.update, sent.signature)
    assert served.client.commit(sent.update, sent.signature) == first
    served.commit(make_update(served.domain, view, 1))
    served.turn(2)
    assert served.phase(1) is Phase.REVEALING
    assert served.client.commit(sent.update, sent.signature) == first


def test_a_second_update_is_refused_and_told_the_receipt_of_the_first(served: Service) -> None:
    view = served.open_round()
    first = make_update(served.domain, view, 0)
    receipt = served.client.commit(first.update, first.signature)
    second = make_update(served.domain, view, 0, samples=101)
    with pytest.raises(ServiceRefused, match=receipt.signature.hex()):
        served.client.commit(second.update, second.signature)
    assert refused(served, second) == (409, "second-update")
    assert served.context.store.updates(1)[0].update == first.update


def test_another_signature_over_the_same_update_is_not_the_same_update(served: Service) -> None:
    # The leaf holds the signature's bytes, so another valid signature would be another leaf.
    sent = make_update(served.domain, served.open_round(), 0)
    served.commit(sent)
    kept = served.context.store.update(1, 0)
    assert kept is not None
    context = served.context
    standing = context.store.commit(replace(kept, signature=b"\x01" * 65))
    assert standing == kept
    assert str(SecondUpdate(0, 1, kept.receipt)).count(kept.receipt.hex()) == 1


def test_an_unknown_node_is_refused(standing: Service) -> None:
    view = standing.client.round(1)
    assert refused(standing, make_update(standing.domain, view, 7)) == (403, "not-registered")


def test_a_signer_who_is_not_the_nodes_is_refused(standing: Service) -> None:
    sent = make_update(standing.domain, standing.client.round(1), 0)
    stranger = sent.update.sign(standing.stage.ledger.domain, account("stranger"))
    assert refused(standing, replace(sent, signature=stranger)) == (403, "wrong-signer")


def test_a_signature_for_another_federation_is_refused(standing: Service) -> None:
    sent = make_update(standing.domain, standing.client.round(1), 0)
    elsewhere = replace(standing.stage.ledger.domain, chain_id=1)
    signature = sent.update.sign(elsewhere, account("signer 0"))
    assert refused(standing, replace(sent, signature=signature)) == (403, "wrong-signer")


@pytest.mark.parametrize("signature", [b"", b"\x01" * 64, b"\xff" * 65])
def test_a_malformed_signature_is_refused(standing: Service, signature: bytes) -> None:
    sent = make_update(standing.domain, standing.client.round(1), 0)
    assert refused(standing, replace(sent, signature=signature)) == (422, "bad-signature")


def test_an_unbonding_node_is_refused_and_after_it_withdrew_too(served: Service) -> None:
    federation, ledger = served.stage.federation, served.stage.ledger
    federation.join(2)
    federation.send("owner 2", ledger.leave())
    view = served.open_round(3)
    assert refused(served, make_update(served.domain, view, 2)) == (403, "leaving")
    served.stage.chain.advance_to(ledger.node(2).unbonding_until + 1)
    federation.send("owner 2", ledger.withdraw(2))
    served.turn(4)
    assert served.client.round(1).state == "void"
    second = served.client.round(2)
    assert refused(served, make_update(served.domain, second, 2)) == (403, "not-staked")


def test_a_node_that_leaves_during_a_round_still_takes_part_in_it(served: Service) -> None:
    view = served.open_round(2)
    served.stage.federation.send("owner 1", served.stage.ledger.leave())
    served.commit(make_update(served.domain, view, 1))
    assert served.client.upload(1, 1).committed


def test_a_node_that_joins_during_a_round_takes_part_from_the_next_one_on(served: Service) -> None:
    view = served.open_round(2)
    served.stage.federation.join(2)
    assert refused(served, make_update(served.domain, view, 2)) == (403, "joined-later")


def test_a_rotated_key_signs_from_the_next_round_on(served: Service) -> None:
    view = served.open_round(2)
    ledger = served.stage.ledger
    served.stage.federation.send("owner 0", ledger.rotate_key(account("signer 9").address))
    sent = make_update(served.domain, view, 0)
    rotated = sent.update.sign(ledger.domain, account("signer 9"))
    assert refused(served, replace(sent, signature=rotated)) == (403, "wrong-signer")
    served.commit(sent)


def test_a_round_that_never_opened_is_unknown(standing: Service) -> None:
    view = standing.client.round(1)
    assert refused(standing, make_update(standing.domain, view.model_copy(update={"round": 2}), 0)) == (404, "unknown-round")


def test_a_decided_round_is_the_wrong_one(served: Service) -> None:
    view = served.open_round()
    served.stage.chain.advance(60)
    served.turn(5)
    assert served.client.rounds()[0].round == 2
    assert refused(served, make_update(served.domain, view, 0)) == (409, "wrong-round")


def test_wrong_inputs_are_refused(standing: Service) -> None:
    view = standing.client.round(1)
    assert refused(standing, make_update(standing.domain, view, 0, inputs=b"\x01" * 32)) == (409, "wrong-inputs")


def test_a_wrong_base_model_is_refused(standing: Service) -> None:
    view = standing.client.round(1)
    assert refused(standing, make_update(standing.domain, view, 0, base_model=b"\x01" * 32)) == (409, "wrong-base-model")


def test_a_commitment_at_the_deadline_is_late_even_before_the_coordinator_looks(served: Service) -> None:
    view = served.open_round()
    served.stage.chain.advance_to(view.commit_deadline)
    assert served.phase(1) is Phase.OPEN
    assert refused(served, make_update(served.domain, view, 0)) == (410, "too-late")


def test_a_sample_count_above_the_bound_is_taken_for_the_gate_to_judge(served: Service) -> None:
    sent = make_update(served.domain, served.open_round(2), 0, samples=1001)
    served.commit(sent)
    assert served.context.store.updates(1)[0].update.samples == 1001


@pytest.mark.parametrize(
    ("field", "value"),
    [("inputs", "0x12"), ("parameters", "no hex"), ("samples", -1), ("samples", 1 << 32), ("node", "x"), ("signature", None)],
)
def test_what_is_no_update_is_refused_with_the_field_named(standing: Service, field: str, value: object) -> None:
    sent = make_update(standing.domain, standing.client.round(1), 0)
    update = sent.update
    body = {
        "inputs": "0x" + update.inputs.hex(),
        "node": 0,
        "base_model": "0x" + update.base_model.hex(),
        "parameters": "0x" + update.parameters.hex(),
        "samples": 100,
        "signature": "0x" + sent.signature.hex(),
    }
    answer = standing.client._http.post("/v1/rounds/1/updates", json={**body, field: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.json()["detail"]
    assert not standing.context.store.updates(1)
