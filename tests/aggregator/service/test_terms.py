"""Terms that change under a running service: announced, enacted by anyone, and followed from the next round on.

A round is led, evaluated, replayed and explained by the config that it opened with, whatever was enacted since.
"""

import json

import pytest
from typer.testing import CliRunner

from aggregator.cli import app
from aggregator.errors import NotAppointed, TermsMissing
from aggregator.founding import Wishes, found
from aggregator.scorer.verify import verify
from aggregator.service.phases import Phase
from aggregator.service.worker import Evaluated
from ledger.governance import Governance
from ledger.records import RoundState, Terms
from ledger.sender import Sender
from protocol.config import parse_config
from protocol.evidence import Input, Kind
from protocol.shares import pack_scores
from protocol.terms import TermsFile
from tests.aggregator.service.support import Service, Stage, make_update, problem
from tests.aggregator.service.test_server import running
from tests.support.chain import CONFIG, PASSPHRASE, account
from tests.support.processes import until

EVIDENCE = b"\x03" * 32
Z = ('\nz = "0"', '\nz = "0.001"')


def prepare(stage: Stage, old: str, new: str) -> TermsFile:
    """Edit federation.toml, and have `fairshare aggregator init` check and store it."""
    text = stage.home.federation_file.read_text()
    assert old in text
    stage.home.federation_file.write_text(text.replace(old, new))
    terms = found(stage.home, Wishes(), PASSPHRASE).terms
    assert terms is not None
    return terms


def announce(stage: Stage, terms: TermsFile | None = None, **officers: object) -> Terms:
    now = Governance(stage.ledger).in_force()
    named = {} if terms is None else {"config_hash": terms.config_hash, "task_hash": terms.task_hash}
    wanted = now._replace(**named, **officers)  # type: ignore[arg-type] # fields of several types
    stage.federation.send("operator", stage.ledger.announce(wanted))
    return wanted


def wait(stage: Stage) -> None:
    """Until the announced terms can be enacted; whatever round is under way times out meanwhile."""
    stage.chain.advance_to(stage.ledger.announced()[1])


def enact(stage: Stage, terms: Terms) -> None:
    stage.federation.send("stranger", stage.ledger.enact(terms))


def test_a_service_that_is_killed_in_between_goes_on_under_the_new_terms_and_old_rounds_still_verify(stage: Stage) -> None:
    ledger, old = stage.ledger, stage.ledger.config_hash()

    def play(number: int) -> None:
        until(lambda: number in {view.round for view in service.client.rounds()})
        sent = [make_update(ledger.domain, service.client.round(number), node) for node in (0, 1)]
        for one in sent:
            service.client.commit(one.update, one.signature)
        until(lambda: service.client.round(number).state == "closed")
        for one in sent:
            service.client.reveal(number, one.update.node, one.salt, one.body)
        until(lambda: service.client.round(number).state == "proposed")
        stage.chain.advance(stage.federation.config.rounds.window_seconds)
        until(lambda: service.client.round(number).state == "final")

    with running(stage) as service:
        play(1)
        prepared = prepare(stage, *Z)
        wanted = announce(stage, prepared)
        until(lambda: service.client.federation().announced is not None)
        assert service.client.health().status == "ok"
        assert service.client.config(prepared.config_hash).toml == stage.home.federation_file.read_text()
    wait(stage)
    enact(stage, wanted)
    with running(stage) as service:  # it was killed, not stopped
        assert service.client.federation().config_hash == prepared.config_hash
        play(3)  # the second ran out of time
        assert ledger.round(2).state is RoundState.VOID
        for number, config_hash, z, quick in ((1, old, 0, None), (3, prepared.config_hash, 1, 1)):
            evidence = service.client.evidence(number)
            assert evidence.by_kind[Kind.INPUT][Input.CONFIG].get("hash") == config_hash
            assert evidence.header.z_thousandths == z
            verified = verify(ledger, stage.home.blobs(), number, quick=quick)
            assert verified.claim.evidence_root == ledger.round(number).evidence_root
            assert parse_config(service.client.config(config_hash).toml).pay.z == z


def test_a_home_without_the_announced_config_says_so_before_it_is_needed(served: Service) -> None:
    stage = served.stage
    served.open_round()
    prepared = prepare(stage, *Z)
    away = stage.home.path / "away"
    served.context.blobs.path(prepared.config_hash).rename(away)
    wanted = announce(stage, prepared)
    served.turn()
    told = served.client.health().status
    assert prepared.config_hash.hex() in told
    assert f"run `fairshare aggregator init {stage.home.path}`" in told
    shown = CliRunner().invoke(app, ["status", str(stage.home.path), "--json"])
    assert json.loads(shown.stdout)["lacking"] == told
    assert "new terms are announced" in CliRunner().invoke(app, ["status", str(stage.home.path)]).stderr
    announced = served.client.federation().announced
    assert announced is not None
    assert (announced.config_hash, announced.aggregator) == (prepared.config_hash, wanted.aggregator)
    assert problem(lambda: served.client.config(prepared.config_hash)) == (503, "blob-unavailable")

    wait(stage)
    enact(stage, wanted)
    served.turn()  # the open round times out
    with pytest.raises(TermsMissing, match=f"config 0x{prepared.config_hash.hex()} of the terms in force is not in"):
        served.turn()
    assert problem(served.client.federation) == (503, "blob-unavailable")
    assert stage.ledger.last_round() == 1
    away.rename(served.context.blobs.path(prepared.config_hash))
    served.turn(2)
    opening = stage.ledger.opening(2)
    assert opening is not None
    assert opening.config_hash == prepared.config_hash
    assert served.client.health().status == "ok"


def test_a_round_under_way_goes_on_with_the_config_that_it_opened_with(served: Service) -> None:
    stage = served.stage
    # The delay is longer than a round: the terms were announced long before this round opened.
    wanted = announce(stage, prepare(stage, "body_bytes = 1000000", "body_bytes = 1000"))
    wait(stage)
    view = served.open_round()
    enact(stage, wanted)
    sent = [make_update(served.domain, view, node) for node in (0, 1)]
    served.commit(*sent)
    served.turn(2)
    assert len(sent[0].body) > 1000
    served.reveal(*sent)
    served.turn()
    assert served.phase(1) is Phase.EVALUATING
    served.context.blobs.put(EVIDENCE, b"the next round only needs it to be here")
    stage.federation.propose(1, (10_000_000,), EVIDENCE, stage.ledger.round(0).model_hash)
    served.turn()
    assert served.client.config().toml == stage.home.federation_file.read_text()
    assert served.client.config(stage.federation.config.sha256()).toml == CONFIG
    assert problem(lambda: served.client.config(b"\x07" * 32)) == (404, "unknown-terms")
    # Bodies of others are no terms.
    (body,) = (kept.body_hash for kept in served.context.store.updates(1) if kept.update.node == 0)
    assert problem(lambda: served.client.config(body)) == (404, "unknown-terms")
    assert served.client.task(stage.ledger.task_hash()) == served.client.task()
    stage.chain.advance(50)
    served.turn(3)
    following = served.client.rounds()[0]
    assert (following.round, following.state) == (2, "open")
    late = [make_update(served.domain, following, node) for node in (0, 1)]
    served.commit(*late)
    served.turn(2)
    assert problem(lambda: served.reveal(late[0])) == (413, "too-large")


def test_terms_enacted_just_before_a_round_opens_are_those_it_is_led_with(
    served: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = served.stage
    prepared = prepare(stage, *Z)
    wanted = announce(stage, prepared)
    wait(stage)
    served.turn()
    assert served.phase(1) is Phase.OPENING
    submit = Sender.submit

    def enacted_first(sender: Sender, key: str, call: object) -> object:
        if key == "open:1":
            monkeypatch.setattr(Sender, "submit", submit)
            enact(stage, wanted)
        return submit(sender, key, call)  # type: ignore[arg-type] # handed on as it is

    monkeypatch.setattr(Sender, "submit", enacted_first)
    served.turn()
    record = served.context.store.round(1)
    assert record is not None
    assert (record.phase, record.bound.config_hash, record.inputs) == (
        Phase.OPEN,
        prepared.config_hash,
        stage.ledger.round(1).inputs,
    )


def test_terms_enacted_after_a_round_was_bound_bind_it_anew(served: Service) -> None:
    stage = served.stage
    prepared = prepare(stage, *Z)
    wanted = announce(stage, prepared)
    wait(stage)
    served.turn()
    assert served.phase(1) is Phase.OPENING
    enact(stage, wanted)
    served.turn(2)
    record = served.context.store.round(1)
    assert record is not None
    assert (record.phase, record.bound.config_hash) == (Phase.OPEN, prepared.config_hash)


def test_another_aggregator_leads_what_opens_from_then_on(served: Service) -> None:
    stage = served.stage
    wanted = announce(stage, aggregator=account("stranger").address)
    wait(stage)
    view = served.open_round()
    enact(stage, wanted)
    stage.federation.send("stranger", stage.ledger.deposit_bond(account("stranger").address, 3 * 10**18))
    # Its round is its own to the end.
    served.stage.chain.advance_to(view.commit_deadline)
    served.turn(2)
    assert stage.ledger.round(1).state is RoundState.VOID
    with pytest.raises(NotAppointed, match=account("stranger").address):
        served.turn()
    # The other one's it leaves alone, until there is an outcome to serve.
    stage.federation.send("stranger", stage.ledger.open_round(0, (b"\x05" * 32,), b"\x06" * 32))
    served.turn(2)
    assert [found.number for found in served.context.store.rounds()] == [1]
    stage.federation.send("stranger", stage.ledger.abandon(2))
    served.turn()
    assert served.client.round(2).state == "void"


def test_a_round_bound_before_another_aggregator_was_appointed_is_left_to_it(served: Service) -> None:
    stage = served.stage
    wanted = announce(stage, aggregator=account("stranger").address)
    wait(stage)
    served.turn()
    assert served.phase(1) is Phase.OPENING
    enact(stage, wanted)
    with pytest.raises(NotAppointed):
        served.turn()
    stage.federation.send("stranger", stage.ledger.deposit_bond(account("stranger").address, 3 * 10**18))
    bound = served.context.store.round(1)
    assert bound is not None
    stage.federation.send("stranger", stage.ledger.open_round(0, bound.bound.shards, bound.bound.root_set))
    served.turn()
    assert served.phase(1) is Phase.OPENING
    stage.federation.send("stranger", stage.ledger.abandon(1))
    served.turn()
    assert served.phase(1) is Phase.VOID


def test_without_its_own_scorer_a_round_waits_for_the_others(served: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, packed = served.stage, pack_scores((10_000_000,))
    outcome = Evaluated(EVIDENCE, stage.ledger.round(0).model_hash, packed, accuracy=0.5, base_accuracy=0.5, samples=1)
    monkeypatch.setattr(served.coordinator._steps.worker, "evaluate", lambda order: outcome)
    wanted = announce(stage, scorers=(account("stranger").address,))
    wait(stage)
    enact(stage, wanted)
    stage.federation.send("stranger", stage.ledger.deposit_bond(account("stranger").address, 2 * 10**18))
    served.play()
    served.turn()
    assert served.phase(1) is Phase.ATTESTING
    attested = stage.federation.attestation(1, EVIDENCE, outcome.model_hash, packed)
    served.client.attest(1, attested.sign(stage.ledger.domain, account("stranger")))
    served.turn(2)
    assert served.phase(1) is Phase.PROPOSED
