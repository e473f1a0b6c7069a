"""What the coordinator does when a round does not go as it should, without a single evaluation unless one is meant to fail."""

import os
import signal
import threading

import pytest

from aggregator.bundles import read_evidence, write_evidence
from aggregator.errors import AttestationFailed, BlobMissing, EvaluationFailed, RoundForgotten
from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord
from ledger.chain.server import ChainServer
from ledger.errors import ChainUnavailable
from ledger.records import RoundState
from protocol.evidence import Kind
from tests.aggregator.service.support import Service, Stage, make_update, problem, serve
from tests.support.lies import rehashed
from tests.support.processes import until


def found(service: Service, number: int) -> RoundRecord:
    record = service.context.store.round(number)
    assert record is not None
    return record


def test_no_round_opens_before_enough_nodes_are_eligible(served: Service) -> None:
    federation = served.stage.federation
    federation.send("owner 1", federation.client.leave())
    served.turn(3)
    assert served.client.rounds() == []
    federation.join(2)
    served.turn(2)
    assert served.client.rounds()[0].state == "open"


def test_a_round_closes_early_when_every_eligible_node_has_committed(served: Service) -> None:
    view = served.open_round(3)
    for node in range(3):
        served.turn()
        assert served.phase(1) is Phase.OPEN
        served.commit(make_update(served.domain, view, node))
    served.turn(2)
    assert served.stage.ledger.round(1).state is RoundState.CLOSED
    assert served.stage.ledger.now() < view.commit_deadline


def test_a_round_closes_at_its_deadline_with_those_who_committed(served: Service) -> None:
    view = served.open_round(3)
    served.commit(make_update(served.domain, view, 0), make_update(served.domain, view, 2))
    served.stage.chain.advance_to(view.commit_deadline)
    served.turn(2)
    assert served.phase(1) is Phase.REVEALING
    assert served.client.round(1).commits == 2


def test_too_few_commitments_abandon_the_round_and_the_next_one_opens(served: Service) -> None:
    view = served.open_round(3)
    served.commit(make_update(served.domain, view, 0))
    reserved = served.stage.ledger.reserved()
    served.stage.chain.advance_to(view.commit_deadline)
    served.turn(2)
    ended = served.client.round(1)
    assert (ended.state, ended.reason, ended.minted) == ("void", "too-few-commits", 0)
    assert ended.sentence == "Fewer nodes committed in time than the config asks for. 1 of at least 2 came."
    assert ended.next_step
    served.turn(2)
    assert served.stage.ledger.round(1).released
    following = served.client.rounds()[0]
    assert (following.round, following.state, following.parent) == (2, "open", 0)
    assert served.stage.ledger.reserved() == reserved
    assert served.client.round(1).gas > served.client.round(2).gas


def test_a_round_that_was_never_closed_in_time_is_void_and_given_back(served: Service) -> None:
    view = served.open_round()
    served.commit(make_update(served.domain, view, 0))
    served.stage.chain.advance(90)
    served.turn(3)
    assert served.client.round(1).state == "void"
    assert served.client.round(1).reason == "not-closed"
    assert served.stage.ledger.round(1).released
    assert served.client.rounds()[0].round == 2


def test_a_round_that_was_never_proposed_in_time_is_void(served: Service) -> None:
    view = served.open_round()
    served.commit(*(make_update(served.domain, view, node) for node in (0, 1)))
    served.turn(2)
    served.stage.chain.advance(60 + 10 + 120)
    served.turn()
    assert (served.client.round(1).state, served.client.round(1).evidence_root) == ("void", None)


def test_without_the_blobs_that_an_evaluation_needs_no_round_opens(served: Service) -> None:
    served.context.blobs.path(served.stage.home.settings().root_set).unlink()
    with pytest.raises(BlobMissing, match="restore"):
        served.turn()
    assert served.context.store.rounds() == ()


def test_a_dead_evaluation_is_started_again_and_a_refused_round_is_never_proposed(served: Service) -> None:
    view = served.open_round()
    sent = [make_update(served.domain, view, node) for node in (0, 1)]
    served.commit(*sent)
    served.turn(2)
    served.reveal(*sent)
    served.turn()
    worker = served.coordinator._steps.worker

    def kill() -> None:
        until(lambda: worker._process is not None and worker._process.pid is not None)
        assert worker._process is not None
        assert worker._process.pid is not None
        os.kill(worker._process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EvaluationFailed, match="died"):
        served.turn()
    killer.join()
    assert served.phase(1) is Phase.EVALUATING
    served.turn()
    assert served.phase(1) is Phase.ATTESTING

    # A scorer that is ended, or cannot see a body, comes to no verdict and is asked again; one that is lied to says no.
    served.coordinator._steps.scorer.stop()
    with pytest.raises(AttestationFailed):
        served.turn()
    served.coordinator._steps.scorer._stopped = False
    body = served.context.store.updates(1)[0].body_hash
    assert body is not None
    path = served.context.blobs.path(body)
    path.rename(path.with_suffix(".away"))
    with pytest.raises(AttestationFailed, match=body.hex()):
        served.turn()
    path.with_suffix(".away").rename(path)
    assert served.phase(1) is Phase.ATTESTING
    served.context.store.note(1, evidence_root=_with_a_lie(served, 1))
    served.turn()
    assert served.phase(1) is Phase.STALLED
    assert "SCORE" in (found(served, 1).reason or "")
    served.turn()
    assert served.stage.ledger.round(1).state is RoundState.CLOSED
    served.stage.chain.advance(60 + 10 + 120)
    served.turn(2)
    ended = served.client.round(1)
    assert (ended.state, ended.minted) == ("void", 0)
    assert ended.reason == "attestation-refused"
    assert "SCORE" in ended.sentence
    assert served.stage.ledger.round(1).released


def _with_a_lie(served: Service, number: int) -> bytes:
    """The root of evidence that hashes well, and in which node 0 scored all there is."""
    root = found(served, number).evidence_root
    assert root is not None
    true = read_evidence(root, served.context.blobs)
    lie = {0: 10_000_000, 1: 0}
    leaves = tuple(leaf._replace(values=(lie[leaf.position],)) if leaf.kind is Kind.SCORE else leaf for leaf in true.leaves)
    return write_evidence(rehashed(true, leaves), served.context.blobs)


def test_a_lost_database_takes_over_what_the_chain_has(stage: Stage) -> None:
    number = stage.federation.play((4_000_000, 6_000_000))
    with serve(stage) as service:
        service.turn()
        taken = service.client.round(number)
        assert (taken.state, taken.minted, taken.evidence_root) == ("final", 10**21, b"\x03" * 32)
        assert service.client.rewards(1).claimable == stage.ledger.reward(number, 1)


def test_an_old_copy_of_the_database_takes_over_what_happened_since(stage: Stage) -> None:
    with serve(stage) as service:
        service.turn()
        assert service.phase(1) is Phase.OPENING
        stage.federation.play((10_000_000,))
        service.turn()
        assert service.client.round(1).state == "final"
        assert service.client.round(1).opened_at > 0
        # Its merged model is not here, so nothing could be evaluated that starts from it.
        with pytest.raises(BlobMissing, match="04" * 32):
            service.turn()


def test_an_old_copy_that_missed_the_proposal_catches_up(served: Service) -> None:
    view, federation = served.open_round(), served.stage.federation
    served.commit(make_update(served.domain, view, 0))
    federation.send("aggregator", federation.client.close_round(1, b"\x07" * 32))
    federation.propose(1, (10_000_000,))
    served.turn()
    caught_up = served.client.round(1)
    assert (caught_up.state, caught_up.evidence_root, caught_up.model) == ("proposed", b"\x03" * 32, b"\x04" * 32)
    assert served.client.rewards(0).pending == 10**21
    # The evidence itself is not here: that is said, and nothing is made up.
    assert problem(lambda: served.client.scores(1)) == (503, "blob-unavailable")


def test_an_old_copy_that_missed_the_closing_lets_the_round_time_out(served: Service) -> None:
    view, federation = served.open_round(), served.stage.federation
    served.commit(make_update(served.domain, view, 0))
    federation.send("aggregator", federation.client.close_round(1, b"\x07" * 32))
    served.turn(2)
    assert served.phase(1) is Phase.STALLED
    federation.chain.advance(60 + 10 + 120)
    served.turn()
    assert served.client.round(1).reason == "another-update-root"


@pytest.mark.parametrize("closed", [False, True])
def test_a_lost_database_gives_up_the_round_whose_commitments_it_held(stage: Stage, closed: bool) -> None:
    stage.federation.send("aggregator", stage.ledger.open_round(0, (bytes(32),), bytes(32)))
    if closed:
        stage.federation.send("aggregator", stage.ledger.close_round(1, b"\x07" * 32))
    with serve(stage) as service:
        service.turn()
        assert service.phase(1) is (Phase.STALLED if closed else Phase.ABANDONING)
        stage.chain.advance(60 + 10 + 120)
        service.turn(3)
        assert service.client.round(1).reason == "record-lost"
        assert stage.ledger.round(1).released
        assert service.client.rounds()[0].round == 2


def test_a_chain_that_forgot_a_round_stops_everything(served: Service) -> None:
    served.open_round()
    served.context.store.move(1, Phase.OPEN, Phase.ABANDONING)
    served.context.store.move(1, Phase.ABANDONING, Phase.VOID, settled=True)
    served.context.store.bind(2, found(served, 1).bound)
    served.context.store.opened(2, 1, 2, ())
    with pytest.raises(RoundForgotten, match="round 2"):
        served.turn()


def test_while_the_chain_is_down_the_service_answers_what_it_can_and_goes_on_afterwards(served: Service) -> None:
    view = served.open_round()
    served.commit(*(make_update(served.domain, view, node) for node in (0, 1)))
    chain, now = served.stage.chain, served.stage.ledger.now()
    chain.__exit__()
    with pytest.raises(ChainUnavailable):
        served.turn()
    leading = threading.Thread(target=served.coordinator.run)
    leading.start()
    until(lambda: served.coordinator.trouble is not None)
    assert chain.url in served.client.health().status
    assert served.client.health().block > 0
    answer = served.client._http.get("/v1/rounds/1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["type"].endswith("chain-unavailable")
    assert served.client.model(view.base_model)
    port = int(chain.url.rpartition(":")[2])
    with ChainServer(chain.database, port=port, clock=lambda: now):
        until(lambda: served.phase(1) is Phase.REVEALING)
        until(lambda: served.client.health().status == "ok")
        served.coordinator.stop()
        leading.join()
