"""The nonces of signed requests: each counts once, also across restarts."""

import sqlite3
from contextlib import closing
from pathlib import Path


class NonceStore:
    """Nonces in a SQLite file; one is forgotten when the deadline of its request has long passed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._connect()) as database, database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE IF NOT EXISTS nonces (nonce BLOB PRIMARY KEY, forget_at INTEGER) WITHOUT ROWID")

    def use(self, nonce: bytes, forget_at: int, now: int) -> bool:
        """Use a nonce up; False if it was used before. It must be refused for its deadline from `forget_at` on."""
        with closing(self._connect()) as database, database:
            database.execute("DELETE FROM nonces WHERE forget_at < ?", (now,))
            return database.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, forget_at)).rowcount == 1

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)
