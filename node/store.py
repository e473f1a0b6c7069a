"""What this node did in every round, so that a kill at any moment neither loses a round nor makes a second Update for it.

A round goes TRAINED → COMMITTED → REVEALED → REPORTED, one transaction a step. Its Update is written down whole before it
is signed, and signed from there: signatures are deterministic (RFC 6979), so whatever is sent, however often, is the same
bytes. The primary key admits one Update per round.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from node.errors import SecondUpdate, StoreUnreadable
from protocol.typed_data import Update

_VERSION = 1
_SCHEMA = """
CREATE TABLE rounds (
    federation BLOB NOT NULL,
    round INTEGER NOT NULL,
    phase TEXT NOT NULL,
    inputs BLOB NOT NULL,
    node INTEGER NOT NULL,
    base_model BLOB NOT NULL,
    parameters BLOB NOT NULL,
    samples INTEGER NOT NULL,
    salt BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    signature BLOB,
    receipt BLOB,
    note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (federation, round)
) STRICT
"""


class Phase(StrEnum):
    """How far this node is in a round."""

    TRAINED = "trained"  # the Update is fixed, and perhaps sent
    COMMITTED = "committed"  # the aggregator's receipt is here, checked; or the commitment is on chain
    REVEALED = "revealed"  # the aggregator holds the body
    MISSED = "missed"  # the aggregator did not take commitment or body; `note` says why
    REPORTED = "reported"  # the round's outcome was told to the participant


@dataclass(frozen=True)
class RoundRecord:
    """One round. `signature` (65 bytes) is None until the Update was signed, `receipt` until the aggregator's came."""

    phase: Phase
    update: Update
    salt: bytes
    body_hash: bytes
    signature: bytes | None
    receipt: bytes | None
    note: str


class RoundStore:
    """The record of one node's rounds in one federation (`federation`: the 32-byte domain separator).

    Raises `StoreUnreadable` for a file that is not this version's.
    """

    def __init__(self, path: Path, federation: bytes) -> None:
        self._path, self._federation = path, federation
        self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise StoreUnreadable(path, str(error)) from error
        except StoreUnreadable:
            self._database.close()
            raise

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        # WAL alone may lose the last transactions with the power; an Update that was sent must never be forgotten.
        self._database.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._database.execute(_SCHEMA)
                self._database.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise StoreUnreadable(self._path, f"its version is {version}, this one writes {_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, round_number: int) -> RoundRecord | None:
        """The record of a round, None if nothing was trained for it."""
        rows = self._select("AND round = ?", round_number)
        return rows[0] if rows else None

    def unreported(self) -> tuple[RoundRecord, ...]:
        """Rounds whose outcome the participant has not been told, ascending."""
        return self._select("AND phase != ?", Phase.REPORTED)

    def trained(self, update: Update, salt: bytes, body_hash: bytes) -> RoundRecord:
        """Fix the one Update of its round, before it is signed.

        The same one again is found, not written. Raises `SecondUpdate` if another one was fixed before.
        """
        with self._transaction():
            known = self.find(update.round)
            if known is None:
                self._database.execute(
                    "INSERT INTO rounds"
                    " (federation, round, phase, inputs, node, base_model, parameters, samples, salt, body_hash)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        self._federation,
                        update.round,
                        Phase.TRAINED,
                        update.inputs,
                        update.node,
                        update.base_model,
                        update.parameters,
                        update.samples,
                        salt,
                        body_hash,
                    ),
                )
        if known is not None and (known.update, known.salt, known.body_hash) != (update, salt, body_hash):
            raise SecondUpdate(update.round)
        return RoundRecord(Phase.TRAINED, update, salt, body_hash, None, None, "") if known is None else known

    def signed(self, round_number: int, signature: bytes) -> None:
        """Keep the signature, before it is sent. Raises `SecondUpdate` if another one is kept."""
        changed = self._database.execute(
            "UPDATE rounds SET signature = ? WHERE federation = ? AND round = ? AND (signature IS NULL OR signature = ?)",
            (signature, self._federation, round_number, signature),
        ).rowcount
        if changed != 1:
            raise SecondUpdate(round_number)

    def committed(self, round_number: int, receipt: bytes | None) -> None:
        """The commitment is held: keep the aggregator's checked receipt (its 65-byte signature), None if the chain holds it."""
        self._move(round_number, Phase.COMMITTED, receipt=receipt)

    def revealed(self, round_number: int) -> None:
        """The aggregator holds the body."""
        self._move(round_number, Phase.REVEALED)

    def missed(self, round_number: int, why: str) -> None:
        """The aggregator will not take this round's commitment or body any more."""
        self._move(round_number, Phase.MISSED, note=why)

    def reported(self, round_number: int) -> None:
        """The participant was told how the round ended."""
        self._move(round_number, Phase.REPORTED)

    def _move(self, round_number: int, phase: Phase, receipt: bytes | None = None, note: str | None = None) -> None:
        self._database.execute(
            "UPDATE rounds SET phase = ?, receipt = coalesce(?, receipt), note = coalesce(?, note)"
            " WHERE federation = ? AND round = ?",
            (phase, receipt, note, self._federation, round_number),
        )

    def _select(self, condition: str, value: int | str) -> tuple[RoundRecord, ...]:
        rows = self._database.execute(
            "SELECT phase, round, inputs, node, base_model, parameters, samples, salt, body_hash, signature, receipt, note"  # noqa: S608 since the condition is one of two literals above
            f" FROM rounds WHERE federation = ? {condition} ORDER BY round",
            (self._federation, value),
        )
        return tuple(RoundRecord(Phase(row[0]), Update(*row[1:7]), *row[7:]) for row in rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE, since a transaction that reads first cannot wait for another writer later.
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:  # Ctrl-C too: a transaction left open shuts every other process out
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
