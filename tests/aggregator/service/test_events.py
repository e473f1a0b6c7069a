"""What happened on chain, as the API and `fairshare aggregator status` tell it: from the index, page by page, faults with it."""

from dataclasses import replace
from functools import partial

from aggregator.service.status import EventLine, status_of
from tests.aggregator.service.support import Service, make_update, problem
from tests.support.chain import account


def test_events_are_paged_filtered_and_slashed_stake_is_counted(served: Service) -> None:
    client, ledger, send = served.client, served.stage.ledger, served.stage.federation.send
    assert (client.events().events, client.events().block, client.events().next) == ([], 0, "")
    view = served.open_round()
    first = make_update(served.domain, view, 1)
    send("stranger", ledger.commit(first.update, first.signature))
    other = replace(first.update, samples=11)
    signed = other.sign(served.domain, account("signer 1"))
    send("stranger", ledger.court.prove_double_update((first.update, first.signature), (other, signed)))
    served.turn(2)

    everything = client.events()
    assert everything.block == ledger.block().number
    assert [event.name for event in everything.events if event.arguments.get("node") == 1] == [
        "NodeJoined",
        "UpdateCommitted",
        "StakeSlashed",
    ]
    (committed,) = client.events(name="UpdateCommitted", round=1).events
    assert committed.contract == ledger.ledger_address
    assert committed.arguments["update"]["parameters"] == "0x" + first.update.parameters.hex()
    assert committed.arguments["signature"] == "0x" + first.signature.hex()
    assert client.upload(1, 1).committed
    pages, after = [], ""
    while page := client.events(after, limit=3).events:
        pages += page
        after = client.events(after, limit=3).next
    assert pages == everything.events
    assert everything.next == after
    assert client.events(node=7).events == []

    (slashed,) = client.events(name="StakeSlashed", node=1).events
    assert slashed.arguments["amount"] == str(ledger.minimum_stake())
    assert (client.rewards(0).slashed, client.rewards(1).slashed) == (0, ledger.minimum_stake())
    for wrong in ({"after": "x"}, {"after": "1"}, {"limit": 0}, {"limit": 1001}, {"node": -1}, {"round": 1 << 63}):
        assert problem(partial(client.events, **wrong)) == (422, "bad-request")

    told = status_of(served.stage.home)
    fault = next(event for event in everything.events if event.name == "FaultProved")
    assert EventLine(fault.block, "FaultProved", 1, None) in told.events
    assert [line.block for line in told.events] == sorted((line.block for line in told.events), reverse=True)
