"""A round whose every update is refused, over the real service: nobody is paid, the base stands, the next opens from it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aggregator.service.phases import Phase
from ledger.records import RoundState
from protocol.api import RoundView
from protocol.client import FederationClient
from protocol.evidence import Kind
from protocol.parameters import encode_parameters, layout_of, read_parameters
from protocol.requests import RequestSigner
from tests.aggregator.service.support import Service, found_in, make_trained, make_update, serve, small_update, staged
from tests.support.chain import CONFIG, account


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Service]:
    """With virtual nodes, so that there are suspicions to carry."""
    founded = found_in(tmp_path, CONFIG.replace("virtual_nodes = 0", "virtual_nodes = 24"))
    with staged(founded, tmp_path) as stage, serve(stage) as service:
        yield service


def settled(served: Service, view: RoundView, bodies: list[bytes]) -> RoundView:
    """The round, Final, in which nodes 0 and 1 sent these bodies."""
    sent = [make_update(served.domain, view, node, body) for node, body in enumerate(bodies)]
    served.commit(*sent)
    served.turn(2)
    served.reveal(*sent)
    for phase in (Phase.ATTESTING, Phase.PROPOSED):
        served.turn(2)
        assert served.phase(view.round) is phase
    served.stage.chain.advance(served.context.federation.timing.window)
    served.turn(2)
    return served.client.round(view.round)


def suspicions(served: Service, number: int) -> dict[int, int]:
    with FederationClient(served.client.url, signer=RequestSigner(served.domain, account("signer 0"))) as member:
        leaves = member.evidence(number).by_kind[Kind.REPUTATION]
    return {node: leaf.get("reputation") for node, leaf in leaves.items()}


def test_when_every_update_is_refused_nobody_is_paid_and_the_next_round_opens_from_the_same_model(served: Service) -> None:
    ledger = served.stage.ledger
    view = served.open_round()
    honest, other = (make_trained(served, view, node).body for node in (0, 1))
    flipped = encode_parameters({name: -array for name, array in read_parameters(other, layout_of(small_update(0))).items()})
    first = settled(served, view, [honest, flipped])
    carried = suspicions(served, 1)
    assert carried[1] > carried[0], "one of the nodes is under suspicion"

    broken = encode_parameters(small_update(0) | {"2.bias": np.full(10, np.nan, dtype=np.float32)})
    view = served.open_round()
    assert (view.round, view.base_model) == (2, first.model)
    nothing = encode_parameters({name: 0 * array for name, array in small_update(0).items()})
    second = settled(served, view, [broken, nothing])
    assert (second.state, second.minted, second.model) == ("final", 0, first.model)
    assert ledger.round(2).state is RoundState.FINAL
    told = served.client.scores(2).nodes
    assert [(node.reason, node.score, node.reward) for node in told] == [("not-finite", 0, 0), ("no-change", 0, 0)]
    assert all(node.sentence and node.next_step for node in told)
    assert suspicions(served, 2) == carried

    third = served.open_round()
    assert (third.round, third.state, third.parent, third.base_model) == (3, "open", 2, first.model)
