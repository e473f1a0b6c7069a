"""A real process, killed with SIGKILL wherever it hurts: a round is trained once, and exactly one Update is ever signed."""

import json
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.records import RoundState
from node.home import NodeHome
from tests.node.conftest import Lines, World
from tests.node.process import RunningNode
from tests.node.service import Refused


@contextmanager
def aggregating(world: World) -> Iterator[None]:
    """Let the federation go on by itself, as an aggregator would, looking twenty times a second."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.05):
            world.idle = 0
            world.direct()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def signed_updates(home: NodeHome) -> list[tuple[int, bytes, bytes]]:
    with sqlite3.connect(home.store) as database:
        rows = database.execute("SELECT round, parameters, signature FROM rounds ORDER BY round").fetchall()
    database.close()
    return rows


def stopped_cleanly(node: RunningNode, home: NodeHome) -> bool:
    told = "".join(node.lines)
    return f"stopped; `fairshare node run {home.path}` goes on where it was" in told and "Traceback" not in told


def test_killed_in_the_middle_of_training(world: World) -> None:
    home, fuse = world.node(0), world.directory / "fuse"
    world.open_round()
    fuse.touch()
    with RunningNode(home.path, PARITY_FUSE=str(fuse)) as first:
        assert first.wait() == -signal.SIGKILL
    assert signed_updates(home) == []
    (report,) = world.run(home)
    assert report.verdict == "accept"
    assert len(world.service.commits[1, 0]) == 1
    assert len(signed_updates(home)) == 1


def test_killed_between_training_and_receipt_and_again_while_uploading(world: World) -> None:
    """First the commitment has left and its answer never comes; then the body has, and its answer never comes."""
    home, service = world.node(0), world.service
    world.open_round()
    with RunningNode(home.path) as first:
        service.on_answer["POST /v1/rounds/1/updates"] = first.process.kill
        first.read_until("round 1: trained")
        assert first.wait() == -signal.SIGKILL
    service.on_answer.clear()
    kept = signed_updates(home)
    (held,) = service.commits[1, 0]
    assert "0x" + kept[0][2].hex() == json.loads(held)["signature"]

    with RunningNode(home.path) as second:
        service.on_answer["PUT /v1/rounds/1/bodies/0"] = second.process.kill
        second.read_until("round 1: committed, the receipt is checked")
        world.close_round()
        assert second.wait() == -signal.SIGKILL
        assert "trained" not in "".join(second.lines)
    service.on_answer.clear()

    lines = Lines()
    (report,) = world.run(home, lines=lines)
    assert (report.verdict, report.note) == ("accept", "")
    assert "train" not in lines
    assert signed_updates(home) == kept
    assert service.commits[1, 0] == [held, held]
    assert len(set(service.bodies[1, 0])) == 1


def test_killed_between_commit_and_reveal_while_the_round_closes(world: World) -> None:
    home = world.node(0)
    world.open_round()
    with RunningNode(home.path) as first:
        first.read_until("round 1: committed")
    world.close_round()
    with aggregating(world), RunningNode(home.path) as second:
        second.read_until("round 1: the body was uploaded")
        second.read_until("accept. The update was used as it was sent.")
        second.read_until("round 2: trained")
        second.process.send_signal(signal.SIGTERM)
        assert second.wait() == 0
    assert stopped_cleanly(second, home)
    assert len(world.service.commits[1, 0]) == 1
    assert len(world.service.bodies[1, 0]) == 1


def test_a_commitment_that_is_held_though_the_node_never_heard_of_it_is_revealed(world: World) -> None:
    """Killed before the answer, restarted after the close: the same bytes get the same receipt, and the body counts."""
    home = world.node(0)
    world.open_round()
    with RunningNode(home.path) as first:
        world.service.on_answer["POST /v1/rounds/1/updates"] = first.process.kill
        assert first.wait() == -signal.SIGKILL
    world.service.on_answer.clear()
    world.close_round()
    (report,) = world.run(home)
    assert (report.verdict, report.note) == ("accept", "")
    assert len(set(world.service.commits[1, 0])) == 1


def test_a_commitment_that_came_too_late_is_told_and_the_next_round_is_not_lost(world: World) -> None:
    """Killed before the commitment arrived, restarted after the close."""
    home = world.node(0)
    world.open_round()
    with RunningNode(home.path) as first:

        def lose() -> None:
            first.process.kill()
            raise Refused(503, "lost")

        world.service.on_request["POST /v1/rounds/1/updates"] = lose
        assert first.wait() == -signal.SIGKILL
    world.service.on_request.clear()
    world.close_round()

    def pause(_: float) -> None:
        if world.federation.client.round(1).state is RoundState.CLOSED:
            world.propose()
        else:
            world.direct()

    missed, second = world.run(home, rounds=2, pause=pause)
    assert missed.sentence == "No update of this node is in it."
    assert "409 too-late" in missed.note
    assert (second.round, second.verdict) == (2, "accept")
    assert (1, 0) not in world.service.bodies


def test_ctrl_c_ends_it_cleanly_while_it_waits(world: World) -> None:
    home = world.node(0)
    with RunningNode(home.path) as node:
        node.read_until("waiting for the first round")
        node.process.send_signal(signal.SIGINT)
        assert node.wait() == 0
    assert stopped_cleanly(node, home)
