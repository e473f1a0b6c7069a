"""Where the local chain rests: one SQLite file, a key-value table for py-evm and a few settings.

Kill-safety rests on three things. All writes happen inside `transaction()`, and the engine puts a whole block (state,
receipts, transaction index, head) into one. The log is written ahead and synced at each commit (WAL,
synchronous=FULL). And the file is locked exclusively by the process that has it open; the kernel drops that lock when
the process dies, however it dies.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eth.db.backends.base import BaseDB

from ledger.errors import DatabaseInUse, NotAChainDatabase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS node (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""


class ChainDatabase(BaseDB):
    """Bytes by bytes, as py-evm wants it. Not thread-safe: its user holds a lock.

    Raises:
        DatabaseInUse: another process, or another object of this one, has the file open.
        NotAChainDatabase: the file cannot be created, or is something else.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            _create(path)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise NotAChainDatabase(path, str(error)) from error
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
            # The exclusive lock is taken by the first write, and a schema that is already there writes nothing.
            with self.transaction():
                pass
        except sqlite3.OperationalError as error:
            self._connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise DatabaseInUse(path) from error
            raise NotAChainDatabase(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise NotAChainDatabase(path, str(error)) from error

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are on disk when the block ends, or none of them is."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            # On a full disk SQLite has already rolled back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def setting(self, name: str) -> int | bytes | None:
        """Return the setting's value, or None when it was never set."""
        row = self._connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set(self, key: bytes, value: bytes) -> None:
        """Store one pair; part of py-evm's interface."""
        self[key] = value

    def change_setting(self, name: str, value: int | bytes) -> None:
        """Store a setting, replacing its former value."""
        self._write("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute("SELECT value FROM node WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        value: bytes = row[0]
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._write("INSERT OR REPLACE INTO node VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        self._write("DELETE FROM node WHERE key = ?", (key,))

    def __contains__(self, key: object) -> bool:
        return self._connection.execute("SELECT 1 FROM node WHERE key = ?", (key,)).fetchone() is not None

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        assert self._connection.in_transaction, "a write outside of transaction() could be torn by a kill"
        self._connection.execute(statement, values)


def _create(path: Path) -> None:
    """Make an empty file only its owner may read (it will hold the faucet's key), unless there is a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never open and close an existing file here: closing drops the POSIX locks this process holds on it by SQLite.
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
