"""A whole round: from opening to settlement, over real HTTP, store, chain, evaluation and scorer."""

import pytest

from aggregator.service.phases import Phase
from ledger.records import RoundState
from protocol.evidence import Access, Kind, LEAF_KINDS
from protocol.typed_data import Receipt
from tests.aggregator.service.support import Service, make_update
from tests.support.chain import account


def test_a_round_from_opening_to_settlement(served: Service) -> None:
    view = served.open_round(2)
    print(view)
    sent = [make_update(served, view, node) for node in (0, 1)]
    for one in sent:
        receipt = served.client.commit(one.update, one.signature)
        assert (
            Receipt(1, one.update.node, receipt.leaf).signer(served.stage.ledger.domain, receipt.signature)
            == account("aggregator").address
        )
    served.turn(2)
    for one in sent:
        print(served.client.reveal(1, one.update.node, one.salt, one.body))
    served.turn()
    import time

    for _ in range(4):
        t = time.time()
        served.turn()
        print(served.context.store.round(1).phase, time.time() - t)
    print(served.client.round(1))
    print(served.client.scores(1))
    served.stage.chain.advance(50)
    served.turn()
    served.turn()
    print(served.client.round(1))
    print(served.client.rewards(0))
    print(served.client.nodes(), served.client.federation(), served.client.health())
    served.client.evidence(1)
    served.client.model(served.client.round(1).model)
    assert 0
