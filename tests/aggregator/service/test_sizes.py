"""Federations of no node, of one, and of sixty-four: whole rounds through the real API, on the real chain."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.service.phases import Phase
from ledger.records import Call
from protocol.shares import SCORE_TOTAL
from tests.aggregator.service.support import Sent, Service, found_in, make_trained, make_update, serve, staged
from tests.support.chain import COIN, CONFIG, account

MANY = 64


@contextmanager
def of(joined: int, directory: Path, config: str = CONFIG) -> Iterator[Service]:
    """A served federation with so many nodes."""
    with staged(found_in(directory / "founded", config, joined), directory) as stage, serve(stage) as service:
        yield service


def play(service: Service, sent: list[Sent]) -> tuple[int, ...]:
    """A round from its commitments to Final; the scores as the chain has them."""
    service.commit(*sent)
    service.turn(2)
    service.reveal(*sent)
    service.turn(4)
    number = sent[0].update.round
    assert service.phase(number) is Phase.PROPOSED, service.coordinator.trouble
    service.stage.chain.advance(service.stage.federation.config.rounds.window_seconds)
    service.turn()
    assert service.client.round(number).state == "final"
    return service.stage.ledger.scores(number)


def test_a_federation_of_none_waits_and_says_for_what(tmp_path: Path) -> None:
    with of(0, tmp_path) as service:
        service.turn(3)
        assert (service.client.rounds(), service.client.federation().node_count) == ([], 0)
        assert service.client.health().status == "ok"
        assert service.stage.ledger.last_round() == 0


def test_a_federation_of_one_is_paid_alone_if_its_config_allows(tmp_path: Path) -> None:
    alone = CONFIG.replace("minimum_commits = 2", "minimum_commits = 1")
    with of(1, tmp_path, alone) as service:
        view = service.open_round(1)
        assert play(service, [make_trained(service, view, 0)]) == (SCORE_TOTAL,)
        (told,) = service.client.scores(1).nodes
        assert told.contribution > 0
        service.stage.federation.send("stranger", service.stage.ledger.claim(0, [1]))
        assert service.stage.ledger.balance(account("owner 0").address) == service.stage.ledger.pool()


def join_many(service: Service) -> None:
    """Fund and register as many owners as the federation is to have; their accounts have no coin at genesis."""
    federation, chain = service.stage.federation, service.stage.chain
    for number in range(2, MANY):
        owner = account(f"owner {number}")
        if chain.web3.eth.get_balance(owner.address) == 0:
            federation.send("operator", Call(owner.address, b"", COIN, f"fund owner {number}"))
        federation.join(number)


def test_a_federation_of_sixty_four_plays_a_round(tmp_path: Path) -> None:
    few = CONFIG.replace("work = 1000000000", "work = 1000000")
    with of(2, tmp_path, few) as service:
        join_many(service)
        view = service.open_round(MANY)
        scores = play(service, [make_update(service.domain, view, node) for node in range(MANY)])
        assert sum(scores) in (0, SCORE_TOTAL)
        told = service.client.scores(1).nodes
        assert [node.node for node in told] == list(range(MANY))
        assert {node.verdict for node in told} == {"accept"}
        assert service.client.round(1).bodies == MANY
