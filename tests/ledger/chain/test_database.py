from pathlib import Path

import pytest

from ledger.chain.database import ChainDatabase
from ledger.errors import DatabaseInUse, NotAChainDatabase


def test_what_was_written_in_a_transaction_is_there_after_reopening(tmp_path: Path) -> None:
    database = ChainDatabase(tmp_path / "chain.sqlite")
    with database.transaction():
        database[b"key"] = b"value"
        database.change_setting("chain_id", 31337)
    database.close()
    again = ChainDatabase(tmp_path / "chain.sqlite")
    assert again[b"key"] == b"value"
    assert again.setting("chain_id") == 31337
    again.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = ChainDatabase(tmp_path / "chain.sqlite")
    with database.transaction():
        database[b"kept"] = b"1"

    def fail_in_the_middle() -> None:
        with database.transaction():
            database[b"lost"] = b"2"
            del database[b"kept"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert b"lost" not in database
    assert database[b"kept"] == b"1"
    database.close()


def test_a_write_outside_of_a_transaction_is_a_defect(tmp_path: Path) -> None:
    database = ChainDatabase(tmp_path / "chain.sqlite")
    with pytest.raises(AssertionError, match="transaction"):
        database[b"key"] = b"value"
    database.close()


def test_a_missing_key_is_a_key_error_and_an_unknown_setting_none(tmp_path: Path) -> None:
    database = ChainDatabase(tmp_path / "chain.sqlite")
    with pytest.raises(KeyError):
        database[b"key"]
    assert database.setting("chain_id") is None
    database.close()


def test_the_file_is_its_owners_alone_and_its_directory_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "chain.sqlite"
    ChainDatabase(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_user_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    first = ChainDatabase(path)
    for _ in range(2):  # a refused attempt must not take the first one's lock away
        with pytest.raises(DatabaseInUse, match=r"another process serves .*chain\.sqlite"):
            ChainDatabase(path)
    first.close()
    ChainDatabase(path).close()


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but dear to somebody\n" * 100)
    before = path.read_bytes()
    with pytest.raises(NotAChainDatabase, match=r"notes\.txt"):
        ChainDatabase(path)
    assert path.read_bytes() == before
    with pytest.raises(NotAChainDatabase):
        ChainDatabase(tmp_path)
