"""Whole rounds of real nodes: what is sent, what is refused, and what a run says about it."""

import hashlib
import shutil

import numpy as np
import pytest

from ledger.errors import ChainUnavailable
from ledger.records import RoundState
from node.errors import HomeInUse, NotJoined, SigningKeyMismatch, TermsChanged, TooMuchData
from node.home import NodeHome
from node.stopping import Stopped
from node.store import Phase, RoundRecord, RoundStore
from node.training import training_seed
from protocol.api import CommitRequest
from protocol.errors import ServiceUnreachable
from protocol.parameters import decode_tensors
from protocol.typed_data import Update
from protocol.update import check_opening
from tests.node.conftest import NODE_CONFIG, SOURCE, Lines, World, accepted
from tests.node.service import Refused, Service
from tests.support.chain import account


def record_of(world: World, home: NodeHome, number: int) -> RoundRecord | None:
    store = RoundStore(home.store, world.federation.client.domain.separator)
    try:
        return store.find(number)
    finally:
        store.close()


def test_three_rounds_from_commit_to_reward(world: World) -> None:
    home, lines = world.node(0), Lines()
    reports = world.run(home, rounds=3, lines=lines)

    assert [(report.round, report.verdict, report.score, report.reward) for report in reports] == [
        (number, "accept", 10_000_000, 1000 * 10**18) for number in (1, 2, 3)
    ]
    assert "round 2 is proposed: accept. The update was used as it was sent. Contribution +0.010000 ± 0.001000" in lines
    assert "reward 1000 TEST" in lines
    domain = world.federation.client.domain
    for number in (1, 2, 3):
        (committed,) = world.service.commits[number, 0]
        ((salt, body),) = world.service.bodies[number, 0]
        told = CommitRequest.model_validate_json(committed)
        update = Update(number, told.inputs, told.node, told.base_model, told.parameters, told.samples)
        assert update.signer(domain, told.signature) == account("signer 0").address
        assert update.inputs == world.federation.client.round(number).inputs
        assert update.samples == 16
        digest = hashlib.sha256(body).digest()
        check_opening(update.parameters, domain.separator, number, 0, bytes.fromhex(salt[2:]), digest)
        assert set(decode_tensors(body)) == {"weight", "bias"}
        kept = record_of(world, home, number)
        assert kept is not None
        assert (kept.phase, kept.update, kept.signature) == (Phase.REPORTED, update, told.signature)
        assert not home.body(number).exists()


def test_the_training_is_given_and_its_update_goes_out_as_it_is(world: World) -> None:
    def nan(task: object, base: dict[str, np.ndarray], *_: object) -> dict[str, np.ndarray]:
        return {name: np.full_like(array, np.nan) for name, array in base.items()}

    world.run(world.node(0), train=nan)  # type: ignore[arg-type] # of course it is a poor trainer
    ((_, body),) = world.service.bodies[1, 0]
    assert np.isnan(np.frombuffer(decode_tensors(body)["bias"].data, "<f4")).all()


def test_a_training_is_the_same_again_for_the_same_key_and_round_only() -> None:
    key, federation = b"\x01" * 32, b"\x02" * 32
    seeds = {training_seed(key, federation, 1), training_seed(key, federation, 2), training_seed(b"\x03" * 32, federation, 1)}
    assert len(seeds) == 3
    assert training_seed(key, federation, 1) in seeds
    assert all(0 <= seed < 1 << 64 for seed in seeds)


def test_who_joins_in_an_open_round_takes_part_from_the_next_on(world: World) -> None:
    world.open_round()
    lines = Lines()
    home = world.node(0)
    world.members.clear()  # round 1 does not wait for the node

    def pause(_: float) -> None:
        if world.federation.client.last_round() == 1 and world.federation.client.round(1).state is RoundState.OPEN:
            world.federation.send("aggregator", world.federation.client.abandon(1))
        elif world.federation.client.last_round() == 2:
            world.members = [0]
        world.direct()

    (report,) = world.run(home, lines=lines, pause=pause)
    assert report.round == 2
    assert "round 1 is left out: this node is not eligible in it; who joins takes part from the next round on" in lines
    assert (1, 0) not in world.service.commits


def test_a_commitment_on_chain_that_the_record_does_not_know_keeps_the_node_from_a_second_one(world: World) -> None:
    """The record was lost; two Updates would cost the stake."""
    home, lines, client = world.node(0), Lines(), world.federation.client
    world.open_round()
    base = client.round(0).model_hash
    before = Update(1, client.round(1).inputs, 0, base, bytes(32), 16)
    world.federation.send("stranger", client.commit(before, before.sign(client.domain, account("signer 0"))))

    def pause(_: float) -> None:
        if client.last_round() == 1 and client.round(1).state is RoundState.OPEN:
            world.federation.send("aggregator", client.abandon(1))
        world.direct()

    (report,) = world.run(home, lines=lines, pause=pause)
    assert (report.round, "round 1 is left out" in lines) == (2, True)
    assert (1, 0) not in world.service.commits


def test_a_round_whose_time_to_commit_is_over_is_left_out(world: World) -> None:
    home, lines = world.node(0), Lines()
    world.open_round()
    world.federation.chain.advance(8)
    world.members.clear()

    def pause(_: float) -> None:
        if world.federation.client.last_round() == 1:
            world.federation.chain.advance(1000)
        else:
            world.members = [0]
        world.direct()

    (report,) = world.run(home, lines=lines, pause=pause)
    assert report.round == 2
    assert "round 1 is left out: its time to commit is over" in lines


def test_an_abandoned_round_is_told_and_not_counted(world: World) -> None:
    home, lines = world.node(0), Lines()
    world.open_round()

    def pause(_: float) -> None:
        if (1, 0) in world.service.commits and world.federation.client.round(1).state is RoundState.OPEN:
            world.federation.send("aggregator", world.federation.client.abandon(1))
        else:
            world.direct()

    void, paid = world.run(home, lines=lines, pause=pause)
    assert (void.round, void.state, void.reward, paid.round) == (1, "void", 0, 2)
    assert "round 1 is void: not paid. Fewer nodes committed in time than the config asks for." in lines


def test_an_aggregator_that_goes_down_is_told_once_and_waited_for(world: World) -> None:
    home, lines, failures = world.node(0), Lines(), 0
    world.service.on_request["GET /v1/rounds/1"] = lambda: None

    def pause(seconds: float) -> None:
        nonlocal failures
        if (1, 0) in world.service.commits and world.federation.client.round(1).state is RoundState.OPEN and failures == 0:
            world.close_round()
            world.service.down()
            failures = 1
        elif 0 < failures < 5:
            failures += 1
        elif failures == 5:
            world.service.up()
            failures = 6
        else:
            world.direct()

    (report,) = world.run(home, lines=lines, pause=pause)
    assert report.verdict == "accept"
    assert sum("no aggregator answers" in line for line in lines.said) == 1
    assert sum("answer again" in line for line in lines.said) == 1
    assert len(world.service.bodies[1, 0]) == 1


def test_an_aggregator_that_lags_behind_the_chain_is_waited_for_silently(world: World) -> None:
    from tests.node.service import Refused

    home, lines, asked = world.node(0), Lines(), []

    def lag() -> None:
        asked.append(1)
        if len(asked) < 3:
            raise Refused(404, "unknown-round")

    world.service.on_request["GET /v1/rounds/1"] = lag
    (report,) = world.run(home, lines=lines)
    assert report.round == 1
    assert not any("again" in line for line in lines.said)


def test_a_commitment_that_is_refused_goes_to_the_chain(world: World) -> None:
    home, lines = world.node(0), Lines()

    def refuse() -> None:
        raise Refused(403, "wrong-signer")

    world.service.on_request["POST /v1/rounds/1/updates"] = refuse

    def pause(_: float) -> None:
        last = world.federation.client.last_round()
        state = world.federation.client.round(last).state
        if last == 1 and state is RoundState.OPEN and world.federation.client.round(1).commits == 1:
            world.federation.send("aggregator", world.federation.client.close_round(1, b"\x07" * 32, commits=1))
        elif last == 1 and state is RoundState.CLOSED:
            world.propose()
        else:
            world.direct()

    world.run(home, lines=lines, pause=pause)
    ((update, signature),) = world.federation.client.commits(1)
    kept = record_of(world, home, 1)
    assert kept is not None
    assert (kept.update, kept.signature, kept.receipt) == (update, signature, None)
    assert "round 1: committed, on chain, for the aggregator did not take it" in lines


def test_an_aggregator_that_does_not_answer_in_time_is_passed_by(world: World) -> None:
    home, lines, asked = world.node(0), Lines(), []

    def fail() -> None:
        asked.append(1)
        raise Refused(503, "chain-unavailable")

    world.service.on_request["POST /v1/rounds/1/updates"] = fail

    def pause(_: float) -> None:
        on_chain = world.federation.client.round(1)
        if on_chain.state is not RoundState.OPEN:
            world.direct()
        elif on_chain.commits == 1:
            raise Stopped
        elif asked:
            world.federation.chain.advance_to(on_chain.opened_at + 7)  # of 8 seconds

    with pytest.raises(Stopped):
        world.run(home, lines=lines, pause=pause)
    assert len(asked) == 2
    assert world.federation.client.round(1).commits == 1


def test_a_commitment_that_is_refused_is_not_sent_again(world: World) -> None:
    home, lines, asked = world.node(0), Lines(), []

    def refuse() -> None:
        asked.append(1)
        raise Refused(409, "second-update")

    world.service.on_request["POST /v1/rounds/1/updates"] = refuse

    def pause(_: float) -> None:
        last = world.federation.client.last_round()
        if asked and last == 1 and world.federation.client.round(1).state is RoundState.OPEN:
            world.close_round()
            world.propose()
        else:
            world.direct()

    (first,) = world.run(home, lines=lines, pause=pause)
    assert len(asked) == 1
    assert "409 second-update" in first.note
    assert first.sentence == "No update of this node is in it."


def test_chain_or_aggregator_down_at_the_start_is_an_error(world: World) -> None:
    home = world.node(0)
    world.service.down()
    with pytest.raises(ServiceUnreachable):
        world.run(home)
    world.service.up()
    settings = home.settings()
    home.write_settings(settings.model_copy(update={"rpc_url": f"http://127.0.0.1:{world.service.port}/nothing"}))
    with pytest.raises(ChainUnavailable):
        world.run(home)


def test_a_restart_with_a_round_under_way_waits_for_the_aggregator(world: World) -> None:
    home, waits = world.node(0), 0

    def until_committed(_: float) -> None:
        if (1, 0) in world.service.commits:
            raise Stopped
        world.direct()

    with pytest.raises(Stopped):
        world.run(home, pause=until_committed)
    world.service.down()

    def pause(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            world.service.up()
        elif waits > 3:
            world.direct()

    (report,) = world.run(home, pause=pause)
    assert (report.round, report.verdict, len(world.service.commits)) == (1, "accept", 1)


def test_a_node_that_has_not_joined_does_not_run(world: World) -> None:
    with pytest.raises(NotJoined, match="fairshare node join"):
        world.run(world.enrolled(0))


def test_a_directory_runs_once_at_a_time(world: World) -> None:
    home = world.node(0)
    with home.exclusively(), pytest.raises(HomeInUse):
        world.run(home)
    world.run(home)  # and the lock goes with whoever held it


def test_a_second_directory_with_the_same_wallet_never_signs_a_round_twice(world: World) -> None:
    home, lines = world.node(0), Lines()
    copy = NodeHome(shutil.copytree(home.path, world.directory / "copy"))

    def stop_after_commit(_: float) -> None:
        if (1, 0) in world.service.commits:
            raise Stopped
        world.direct()

    def stop_when_left_out(_: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        world.run(home, pause=stop_after_commit)
    with pytest.raises(Stopped):
        world.run(copy, lines=lines, pause=stop_when_left_out)
    assert "round 1 is left out: the aggregator has an Update for round 1 by this node's key" in lines
    assert "stop the other" in lines
    assert record_of(world, copy, 1) is None
    assert len(world.service.commits[1, 0]) == 1
    (report,) = world.run(home)
    assert (report.round, report.verdict) == (1, "accept")


def test_more_samples_than_the_invitation_allows_is_said_before_training(world: World) -> None:
    with pytest.raises(TooMuchData, match="16 samples, the invitation allows 15"):
        world.node(0, data="16", max_samples=15)
    home = world.node(1, data="15", max_samples=15)
    home.write_settings(home.settings().model_copy(update={"data": "16"}))
    with pytest.raises(TooMuchData, match="16 samples, the invitation allows 15"):
        world.run(home)
    assert not world.service.commits


def test_another_signing_key_than_the_registered_one_never_signs(world: World) -> None:
    home = world.node(0)
    call = world.federation.client.rotate_key(account("signer 5").address)
    world.federation.send("owner 0", call)
    with pytest.raises(SigningKeyMismatch, match=account("signer 5").address):
        world.run(home)
    assert not world.service.commits


def test_code_that_was_not_accepted_does_not_run(world: World) -> None:
    home = world.node(0)
    (accepted(home) / "task" / "parity.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(TermsChanged, match="copy of the terms"):
        world.run(home)


def test_a_round_of_another_history_of_the_chain_is_not_signed_twice(world: World) -> None:
    home, lines = world.node(0), Lines()
    world.open_round()
    store = RoundStore(home.store, world.federation.client.domain.separator)
    store.trained(Update(1, b"\x0a" * 32, 0, b"\x0b" * 32, b"\x0c" * 32, 16), bytes(32), bytes(32))
    store.close()
    world.members.clear()

    def pause(_: float) -> None:
        if world.federation.client.last_round() == 1 and world.federation.client.round(1).state is RoundState.OPEN:
            world.federation.send("aggregator", world.federation.client.abandon(1))
        else:
            world.members = [0]
            world.direct()

    (report,) = world.run(home, lines=lines, pause=pause)
    assert report.round == 2
    assert "round 1 is left out: this directory made another Update for round 1 before" in lines
    assert (1, 0) not in world.service.commits


def test_a_body_that_the_aggregator_refuses_goes_to_a_scorer(world: World) -> None:
    home = world.node(0)
    scorer = Service(world.federation, NODE_CONFIG, SOURCE, {}, commits=world.service.commits, bodies=world.service.bodies)
    try:
        home.write_settings(home.settings().model_copy(update={"scorers": ("http://127.0.0.1:1", scorer.url)}))

        def refuse() -> None:
            raise Refused(410, "too-late")

        world.service.on_request["PUT /v1/rounds/1/bodies/0"] = refuse
        (report,) = world.run(home)
        assert (report.round, report.verdict) == (1, "accept")
        assert len(world.service.bodies[1, 0]) == 1
    finally:
        scorer.down()
