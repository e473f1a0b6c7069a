"""Opening the database: SQLite beside the keys by default, PostgreSQL by URL; brought to the newest tables; one server only.

SQLite writes ahead and syncs at every commit, so what was acknowledged survives a power cut. A transaction that is going to
write says so from its beginning (BEGIN IMMEDIATE): two of them queue, where upgrading a read would fail.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import DatabaseError as SqlDatabaseError

from aggregator.errors import AlreadyServing, DatabaseError, ForeignDatabase

WRITES = "fairshare_writes"
"""Execution option of an engine whose transactions write."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers never wait for the writer
    "PRAGMA synchronous = FULL",  # a receipt is given only for what is on the disk
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 10000",  # milliseconds a writer waits for another
)

# Any number that no other program is likely to have chosen; advisory locks are shared by a whole PostgreSQL database.
_POSTGRES_LOCK = 0xFA125A7E


def open_database(url: str) -> Engine:
    """Connect and upgrade the tables.

    Raises `DatabaseError` if it cannot be reached or is no database, `ForeignDatabase` if a newer version wrote it.
    """
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # Not the URL itself: it may hold a password.
        raise DatabaseError(f"`database` in aggregator.toml is no URL that can be used ({error}); correct it") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        _upgrade(engine)
    except CommandError as error:
        engine.dispose()
        raise ForeignDatabase(
            f"{engine.url} was written by another version of fairshare ({error}): use that version, or restore a copy"
        ) from error
    except (OperationalError, SqlDatabaseError) as error:
        engine.dispose()
        raise DatabaseError(f"{engine.url} cannot be opened: {error.orig}; check `database` in aggregator.toml") from error
    return engine


@contextmanager
def serving(url: str) -> Iterator[None]:
    """Be the only process that serves the database at `url`; the lock ends with the process, however that ends.

    Raises `AlreadyServing`.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with _file_lock(Path(f"{parsed.database}.lock"), url):
            yield
    else:
        with _advisory_lock(url):
            yield


@contextmanager
def _file_lock(path: Path, url: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(url) from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _advisory_lock(url: str) -> Iterator[None]:
    # A session lock: it lives as long as this connection does.
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _POSTGRES_LOCK}):
                raise AlreadyServing(engine.url.render_as_string())
            connection.commit()
            yield
    finally:
        engine.dispose()


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("aggregator.service") / "migrations"))
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare_sqlite(connection: Any, record: object) -> None:
    # sqlite3 would begin transactions behind SQLAlchemy's back, and not before DDL.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
