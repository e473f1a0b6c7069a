"""One conformance test of store, journal and lock for every database: SQLite always, PostgreSQL where it is installed."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from aggregator.errors import AlreadyServing, DatabaseError, ForeignDatabase
from aggregator.service.database import WRITES, open_database, serving
from aggregator.service.journal import SqlJournal
from aggregator.service.phases import SUCCESSORS, Phase, may_follow
from aggregator.service.records import Counts, UpdateRecord
from aggregator.service.store import Store
from aggregator.service.tables import Base
from ledger.sender import Entry, Mined
from protocol.inputs import BoundInputs
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Update
from tests.support.chain import account

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
BOUND = BoundInputs(0, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, bytes(32), (b"\x04" * 32, b"\x05" * 32), b"\x06" * 32)
ROSTER = tuple(RosterEntry(node, account(f"signer {node}").address, (1 << 32) - 1) for node in range(4))

_HAS_POSTGRES = bool(shutil.which("initdb") and shutil.which("pg_ctl") and importlib.util.find_spec("psycopg"))
_WHY_NOT = "PostgreSQL is not tested: it needs initdb and pg_ctl on the PATH, and psycopg"
# skip and not skipif, which the summary would repeat for each test
_POSTGRES = [] if _HAS_POSTGRES else [pytest.mark.skip(reason=_WHY_NOT)]


def record(node: int, samples: int = (1 << 32) - 1) -> UpdateRecord:
    update = Update(1, BOUND.digest(), node, BOUND.base_model, bytes([node]) * 32, samples)
    return UpdateRecord(update, b"\x07" * 65, b"\x08" * 32, b"\x09" * 65)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, without its database's name."""
    # Not below pytest's own directory, which only its owner may enter: PostgreSQL may have to run as somebody else.
    directory = Path(tempfile.mkdtemp(prefix="fairshare-postgres-"))
    # PostgreSQL refuses to run as root, and wants its files to be its own.
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        shutil.chown(directory, user)

    def run(*arguments: str) -> None:
        subprocess.run(arguments, check=True, capture_output=True, user=user, cwd=directory)

    run("initdb", "-D", str(directory / "data"), "-U", "fairshare", "-A", "trust", "-E", "UTF8", "--locale=C")
    options = f"-k {directory} -c listen_addresses= -c fsync=off"
    run("pg_ctl", "-D", str(directory / "data"), "-l", str(directory / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql+psycopg://fairshare@/{{database}}?host={directory}"
    finally:
        run("pg_ctl", "-D", str(directory / "data"), "-m", "immediate", "stop")
        shutil.rmtree(directory)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=_POSTGRES)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.sqlite'}"
    server: str = request.getfixturevalue("postgres")
    from sqlalchemy import create_engine

    name = f"test_{zlib.crc32(request.node.nodeid.encode())}"
    engine = create_engine(server.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.format(database=name)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store with round 1 open to four nodes."""
    engine = open_database(url)
    store = Store(engine)
    store.bind(1, BOUND)
    store.opened(1, 100, 160, ROSTER)
    yield store
    engine.dispose()


def test_the_migrations_make_exactly_the_declared_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_is_upgraded_once_and_keeps_its_rounds(url: str, store: Store) -> None:
    again = open_database(url)
    assert [found.number for found in Store(again).rounds()] == [1]
    again.dispose()


def test_a_database_of_a_newer_version_is_refused(url: str, store: Store) -> None:
    with store.engine.execution_options(**{WRITES: True}).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ForeignDatabase, match="another version"):
        open_database(url)


def test_a_round_comes_back_as_it_was_bound_and_opened(store: Store) -> None:
    found = store.round(1)
    assert found is not None
    assert (found.bound, found.inputs) == (BOUND, BOUND.digest())
    assert (found.phase, found.opened_at, found.commit_deadline, found.settled) == (Phase.OPEN, 100, 160, False)
    assert store.roster(1) == ROSTER
    assert store.last() == found
    assert store.round(2) is None


def test_a_round_that_never_opened_is_bound_again(store: Store) -> None:
    store.bind(2, BOUND)
    other = replace(BOUND, root_set=b"\x0a" * 32)
    store.bind(2, other)
    found = store.round(2)
    assert found is not None
    assert found.bound == other
    with pytest.raises(IntegrityError):
        store.bind(1, BOUND)


def test_only_the_transitions_of_the_picture_happen_and_a_refused_one_changes_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="round 1 is open"):
        store.move(1, Phase.OPEN, Phase.EVALUATING, reason="x")
    with pytest.raises(RuntimeError, match="round 1 is open"):
        store.move(1, Phase.REVEALING, Phase.EVALUATING, reason="x")
    found = store.round(1)
    assert found is not None
    assert (found.phase, found.reason) == (Phase.OPEN, None)


@pytest.mark.parametrize("phase", list(Phase))
def test_every_undecided_phase_can_become_void_or_proposed_and_a_decided_one_nothing(phase: Phase) -> None:
    followers = {target for target in Phase if may_follow(phase, target)}
    if phase.decided:
        assert followers == set()
    else:
        assert {Phase.VOID, Phase.PROPOSED} <= followers
        assert followers - {Phase.VOID, Phase.PROPOSED} <= SUCCESSORS[phase]


def test_a_second_commitment_does_not_replace_the_first(store: Store) -> None:
    first = record(1)
    assert store.commit(first) == first
    assert store.commit(record(1, samples=5)) == first
    assert store.updates(1) == (first,)
    assert store.counts() == {1: Counts(1, 0)}


def test_of_many_commitments_at_once_one_stands_and_all_hear_of_it(store: Store) -> None:
    answers: list[UpdateRecord | None] = []
    barrier = threading.Barrier(8)

    def commit(samples: int) -> None:
        barrier.wait()
        answers.append(store.commit(record(2, samples)))

    threads = [threading.Thread(target=commit, args=(samples,)) for samples in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert set(answers) == {store.update(1, 2)}


def test_a_commitment_is_either_in_the_closed_root_or_refused(store: Store) -> None:
    # Commitments race with the closing: the root must be over exactly those that were taken.
    taken: list[int] = []
    in_root: list[int] = []
    barrier = threading.Barrier(5)

    def commit(node: int) -> None:
        barrier.wait()
        if store.commit(record(node)) is not None:
            taken.append(node)

    def root_of(updates: Sequence[UpdateRecord]) -> bytes:
        in_root.extend(kept.update.node for kept in updates)
        return b"\x0b" * 32

    def close() -> None:
        barrier.wait()
        store.close_intake(1, root_of)

    threads = [threading.Thread(target=commit, args=(node,)) for node in range(4)] + [threading.Thread(target=close)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(in_root) == [kept.update.node for kept in store.updates(1)]
    found = store.round(1)
    assert found is not None
    assert (found.phase, found.update_root) == (Phase.CLOSING, b"\x0b" * 32)
    assert store.commit(record(3)) == store.update(1, 3)


def test_a_body_is_noted_only_while_the_round_takes_bodies(store: Store) -> None:
    store.commit(record(0))
    assert not store.reveal(1, 0, b"\x0c" * 32, b"\x0d" * 32)
    store.close_intake(1, lambda _: bytes(32))
    store.move(1, Phase.CLOSING, Phase.REVEALING, reveal_deadline=200)
    assert store.reveal(1, 0, b"\x0c" * 32, b"\x0d" * 32)
    kept = store.update(1, 0)
    assert kept is not None
    assert (kept.salt, kept.body_hash, kept.revealed) == (b"\x0c" * 32, b"\x0d" * 32, True)
    assert store.counts() == {1: Counts(1, 1)}
    store.move(1, Phase.REVEALING, Phase.EVALUATING)
    assert not store.reveal(1, 0, b"\x0c" * 32, b"\x0e" * 32)


def test_a_commitment_of_nobody_in_the_roster_cannot_be_kept(store: Store) -> None:
    with pytest.raises(IntegrityError):
        store.commit(record(9))


def test_models_are_public_once_a_round_starts_from_them_or_proposes_them(store: Store) -> None:
    model = b"\x0f" * 32
    assert store.is_public_model(BOUND.base_model)
    store.note(1, model_hash=model)
    assert not store.is_public_model(model)
    store.move(1, Phase.OPEN, Phase.PROPOSED)
    assert store.is_public_model(model)


def test_decided_rounds_are_unsettled_until_they_are(store: Store) -> None:
    assert store.unsettled() == ()
    store.move(1, Phase.OPEN, Phase.VOID, reason="why")
    assert [found.number for found in store.unsettled()] == [1]
    store.note(1, settled=True)
    assert store.unsettled() == ()


def test_a_database_belongs_to_one_federation(store: Store) -> None:
    store.belong_to(DOMAIN)
    store.belong_to(DOMAIN)
    with pytest.raises(ForeignDatabase, match="chain 31337"):
        store.belong_to(replace(DOMAIN, chain_id=1))


def test_the_journal_remembers_what_was_signed_and_what_it_cost(store: Store) -> None:
    journal = SqlJournal(store.engine)
    assert (journal.entries("open:1"), journal.highest_nonce()) == ((), None)
    entries = [Entry("open:1", 4, b"raw", b"\x01" * 32), Entry("close:1", 5, b"raw", b"\x02" * 32)]
    for entry in reversed(entries):
        journal.record(entry)
    assert journal.entries("open:1") == (entries[0],)
    assert journal.highest_nonce() == 5
    assert list(journal.since(4)) == entries
    assert list(journal.since(5)) == entries[1:]
    assert journal.gas() == {}
    journal.mined("open:1", Mined(b"\x01" * 32, 7, 100))
    journal.mined("close:1", Mined(b"\x02" * 32, 8, 20))
    assert journal.gas() == {1: 120}
    dearer = [Entry("open:1", 4, raw, raw * 32) for raw in (b"3", b"4")]
    for entry in dearer:
        journal.record(entry)
    assert journal.entries("open:1") == (entries[0], *dearer)
    assert list(journal.since(4)) == [dearer[1], entries[1]]
    assert journal.gas() == {1: 20}, "which one was mined is to be seen again"
    for clash, kind in ((Entry("open:1", 6, b"raw", bytes(32)), AssertionError), (Entry("open:2", 5, b"r", b""), IntegrityError)):
        with pytest.raises(kind):
            journal.record(clash)


def test_one_process_serves_a_database(url: str) -> None:
    with serving(url), pytest.raises(AlreadyServing, match="stop it first"), serving(url):
        pass
    with serving(url):
        pass


@pytest.mark.parametrize("bad", ["nonsense", "nosuch://x/y", "sqlite:////no/such/folder/state.sqlite"])
def test_a_database_that_cannot_be_used_is_named(bad: str) -> None:
    with pytest.raises(DatabaseError, match=r"aggregator\.toml"):
        open_database(bad)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"not a database, whatever its name" * 100)
    with pytest.raises(DatabaseError, match="cannot be opened"):
        open_database(f"sqlite:///{tmp_path / 'state.sqlite'}")
