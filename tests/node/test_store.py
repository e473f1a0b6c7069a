"""The record of rounds: one Update a round, whatever happens."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import SecondUpdate, StoreUnreadable
from node.store import Phase, RoundStore
from protocol.typed_data import Update

FEDERATION = b"\x01" * 32
UPDATE = Update(3, b"\x02" * 32, 1, b"\x03" * 32, b"\x04" * 32, 100)
SALT, BODY = b"\x05" * 32, b"\x06" * 32
SIGNATURE, RECEIPT = b"\x07" * 65, b"\x08" * 65


def test_a_round_from_training_to_report_survives_reopening(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    steps: list[tuple[Callable[[RoundStore], object], Phase]] = [
        (lambda s: s.trained(UPDATE, SALT, BODY), Phase.TRAINED),
        (lambda s: s.signed(3, SIGNATURE), Phase.TRAINED),
        (lambda s: s.committed(3, RECEIPT), Phase.COMMITTED),
        (lambda s: s.revealed(3), Phase.REVEALED),
        (lambda s: s.reported(3), Phase.REPORTED),
    ]
    for step, phase in steps:
        store = RoundStore(path, FEDERATION)
        step(store)
        store.close()
        store = RoundStore(path, FEDERATION)
        found = store.find(3)
        assert found is not None
        assert (found.phase, found.update, found.salt, found.body_hash) == (phase, UPDATE, SALT, BODY)
        assert store.unreported() == (() if phase is Phase.REPORTED else (found,))
        store.close()
        signed = SIGNATURE if step is not steps[0][0] else None
        assert (found.signature, found.note) == (signed, "")
        assert found.receipt == (None if phase is Phase.TRAINED else RECEIPT)


def test_a_second_update_for_a_round_is_impossible(tmp_path: Path) -> None:
    store = RoundStore(tmp_path / "state.sqlite", FEDERATION)
    first = store.trained(UPDATE, SALT, BODY)
    assert store.trained(UPDATE, SALT, BODY) == first
    others = [
        (Update(3, b"\x02" * 32, 1, b"\x03" * 32, b"\xff" * 32, 100), SALT, BODY),
        (Update(3, b"\xff" * 32, 1, b"\x03" * 32, b"\x04" * 32, 100), SALT, BODY),
        (UPDATE, b"\xff" * 32, BODY),
        (UPDATE, SALT, b"\xff" * 32),
    ]
    for other in others:
        with pytest.raises(SecondUpdate, match="round 3"):
            store.trained(*other)
    store.signed(3, SIGNATURE)
    store.signed(3, SIGNATURE)
    with pytest.raises(SecondUpdate):
        store.signed(3, b"\xff" * 65)
    with pytest.raises(SecondUpdate):
        store.signed(4, SIGNATURE)  # never trained
    assert store.find(3) is not None
    assert store.find(4) is None
    store.close()


def test_federations_do_not_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    one, other = RoundStore(path, FEDERATION), RoundStore(path, b"\x09" * 32)
    one.trained(UPDATE, SALT, BODY)
    assert other.find(3) is None
    other.trained(UPDATE, b"\x0a" * 32, BODY)
    one.missed(3, "too late")
    kept, theirs = one.find(3), other.find(3)
    assert kept is not None
    assert theirs is not None
    assert (kept.phase, kept.note, theirs.phase) == (Phase.MISSED, "too late", Phase.TRAINED)
    one.close()
    other.close()


def test_what_is_no_store_of_this_version_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("this is no database, it is a text of some length " * 100)
    with pytest.raises(StoreUnreadable, match="not a database"):
        RoundStore(text, FEDERATION)
    newer = tmp_path / "newer"
    database = sqlite3.connect(newer)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(StoreUnreadable, match="its version is 2"):
        RoundStore(newer, FEDERATION)


def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    store = RoundStore(tmp_path / "state.sqlite", FEDERATION)
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()
