"""The event index on every chain: each event once and in order, whatever is refused, killed, restarted or rolled back."""

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aggregator.service.database import open_database
from aggregator.service.events import SqlLogs
from ledger.chain import methods
from ledger.client import LedgerClient
from ledger.errors import ChainRefused
from ledger.event_index import EventIndex
from ledger.events import Event
from ledger.records import BlockRef
from protocol.config import parse_config
from protocol.typed_data import Update
from tests.ledger.conformance.chains import CHAINS, AnyChain, Served
from tests.support.chain import COIN, CONFIG, ChainT, TestFederation, account, founding

_names = itertools.count()


@pytest.fixture(params=CHAINS, scope="module")
def federation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestFederation[AnyChain]]:
    """A federation whose round 1 is paid, on each chain in turn; the tests share it."""
    chain = CHAINS[request.param](tmp_path_factory.mktemp("events") / "chain")
    yield played(chain)
    chain.stop()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestFederation[Served]]:
    """One on the served chain, for what needs no chain in particular."""
    chain = Served(tmp_path_factory.mktemp("events") / "chain")
    yield played(chain)
    chain.stop()


def played(chain: ChainT) -> TestFederation[ChainT]:
    """Two nodes join, node 1 commits to an update on chain, and node 0 claims."""
    config = parse_config(CONFIG)
    found = TestFederation.deployed(chain, config, founding(config))
    client = found.client
    for node in (0, 1):
        found.join(node)
    found.send("aggregator", client.open_round(0, (b"\x05" * 32,), b"\x06" * 32))
    update = Update(1, client.round(1).inputs, 1, client.round(0).model_hash, b"\x07" * 32, 5)
    found.send("stranger", client.commit(update, update.sign(client.domain, account("signer 1"))))
    found.send("aggregator", client.close_round(1, b"\x07" * 32, 1))
    found.propose(1, (10_000_000,))
    chain.advance(config.rounds.window_seconds)
    found.send("stranger", client.claim(0, [1]))
    return found


PLAYED = ["NodeJoined", "NodeJoined", "RoundOpened", "UpdateCommitted", "RoundClosed", "RoundProposed", "RewardsClaimed"]


def index_of(federation: TestFederation[ChainT], directory: Path, span: int = 1000) -> tuple[EventIndex, SqlLogs]:
    """A new index, empty, or the one that is in this directory already."""
    federation.client.logs.span = span
    directory.mkdir(exist_ok=True)
    logs = SqlLogs(open_database(f"sqlite:///{directory / 'state.sqlite'}"))
    return EventIndex(federation.client, logs, federation.deployment.block), logs


def told(logs: SqlLogs) -> list[str]:
    return [event.name for event in logs.events() if event.name in PLAYED]


def test_it_holds_everything_since_the_deployment_and_reads_no_block_twice(
    federation: TestFederation[AnyChain], tmp_path: Path
) -> None:
    index, logs = index_of(federation, tmp_path)
    asked: list[tuple[int, int]] = []
    client = federation.client
    forwards = client.logs.forwards

    def noted(first: int, last: int) -> object:
        found = forwards(first, last)
        asked.append((found.first, found.last))
        return found

    client.logs.forwards = noted  # type: ignore[method-assign,assignment] # looked over the shoulder of
    try:
        for span in (1, 2, 3, 1000):
            client.logs.span = span
            index.follow()
        index.catch_up()
        assert not index.follow()
    finally:
        del client.logs.forwards
    assert told(logs) == PLAYED
    latest = client.block()
    assert logs.cursor() == latest
    assert asked[0][0] == federation.deployment.block, "not from the genesis"
    assert asked[-1][1] == latest.number
    assert all(following[0] == before[1] + 1 for before, following in itertools.pairwise(asked))
    by_name: dict[str, Event] = {event.name: event for event in logs.events()}
    assert by_name["NodeJoined"].get("owner") == account("owner 1").address
    assert by_name["RewardsClaimed"].arguments[2:] == (("rounds", [1]), ("amount", 1000 * COIN))
    assert [event.get("node") for event in logs.events(name="NodeJoined")] == [0, 1]
    assert tuple(logs.commits(1)) == client.commits(1)
    assert [event.name for event in logs.events(node=0)] == ["NodeJoined", "RewardsClaimed"]
    assert {event.get("round") for event in logs.events(round=1)} == {1}


def test_a_restart_goes_on_from_the_cursor(federation: TestFederation[AnyChain], tmp_path: Path) -> None:
    index, _ = index_of(federation, tmp_path, span=2)
    index.follow()
    again, logs = index_of(federation, tmp_path)
    cursor = logs.cursor()
    assert cursor is not None
    assert cursor.number < federation.client.block().number
    again.catch_up()
    fresh_index, fresh = index_of(federation, tmp_path / "fresh")
    fresh_index.catch_up()
    assert logs.events() == fresh.events()


def restarted(federation: TestFederation[AnyChain], between: Callable[[Path], None], copy: Path) -> None:
    """Stop the chain, keep its state in `copy` or take it from there, and start it again."""
    federation.chain.stop()
    between(copy)
    federation.chain.start()
    federation.client = LedgerClient(federation.chain.web3, federation.deployment.ledger)


def test_a_rollback_is_noticed_and_the_old_history_dropped(federation: TestFederation[AnyChain], tmp_path: Path) -> None:
    chain = federation.chain
    restarted(federation, chain.keep, tmp_path / "copy")
    index, logs = index_of(federation, tmp_path)
    index.catch_up()
    before = logs.events()
    federation.send("owner 1", federation.client.leave())
    index.catch_up()
    assert [event.name for event in logs.events()[len(before) :]] == ["NodeLeft"]
    left_at = logs.cursor()

    restarted(federation, chain.set_back, tmp_path / "copy")
    chain.mine(2)  # from here on it is another history, and a longer one
    federation.send("owner 1", federation.client.set_payout(account("stranger").address))
    index, logs = index_of(federation, tmp_path)
    assert logs.cursor() == left_at
    assert left_at is not None
    assert left_at.number < federation.client.block().number
    index.catch_up()
    assert logs.events()[: len(before)] == before
    assert [event.name for event in logs.events()[len(before) :]] == ["PayoutChanged"]
    assert logs.cursor() == federation.client.block()


def test_a_node_that_refuses_many_logs_is_asked_for_fewer(
    served: TestFederation[Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, logs = index_of(served, tmp_path)
    monkeypatch.setattr(methods, "MAX_LOGS", 4)  # one block of the deployment has as many
    index.catch_up()
    assert told(logs) == PLAYED
    assert served.client.logs.span < 10
    assert len(served.client.commits(1)) == 1
    monkeypatch.setattr(methods, "MAX_BLOCKS", 0)
    served.send("owner 1", served.client.leave())
    cursor = logs.cursor()
    with pytest.raises(ChainRefused, match="check that it is in sync, or use another"):
        index.catch_up()
    assert logs.cursor() == cursor


KILLED = """
import os, signal, sys
from sqlalchemy import event
from aggregator.service.database import open_database
from aggregator.service.events import SqlLogs
from ledger.client import LedgerClient
from ledger.event_index import EventIndex

url, chain_id, ledger, block, database, at = sys.argv[1:]
engine, writes = open_database(database), 0

def die(*_):
    global writes
    writes += 1
    if writes == int(at):
        os.kill(os.getpid(), signal.SIGKILL)

for name in ("after_cursor_execute", "commit"):
    event.listen(engine, name, die)
client = LedgerClient.open(url, int(chain_id), ledger)
client.logs.span = 4
EventIndex(client, SqlLogs(engine), int(block)).catch_up()
"""


@pytest.mark.parametrize("at", [4, 6, 7, 9])
def test_killed_between_any_two_statements_rows_and_cursor_agree(served: TestFederation[Served], tmp_path: Path, at: int) -> None:
    database, deployment = f"sqlite:///{tmp_path / 'state.sqlite'}", served.deployment
    call = [served.chain.url, str(deployment.chain_id), deployment.ledger, str(deployment.block), database, str(at)]
    done = subprocess.run([sys.executable, "-c", KILLED, *call], check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    index, logs = index_of(served, tmp_path)
    cursor = logs.cursor() or BlockRef(-1, b"")
    fresh_index, fresh = index_of(served, tmp_path / "fresh")
    fresh_index.catch_up()
    assert logs.events() == tuple(event for event in fresh.events() if event.log.block.number <= cursor.number)
    index.catch_up()
    assert logs.events() == fresh.events()
