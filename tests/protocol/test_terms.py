"""What a change of a federation's terms changes, and what no terms can."""

import hashlib
from pathlib import Path

import pytest

from protocol.errors import ConfigError, FormatError
from protocol.terms import Change, TermsFile, changes, read_terms, terms_hash
from tests.support.chain import CONFIG


def test_changes_are_told_key_by_key_as_they_are_written() -> None:
    after = CONFIG.replace("epochs = 1", "epochs = 3").replace('learning_rate = "0.05"', 'learning_rate = "0.010"')
    assert changes(CONFIG, after) == (Change("recipe.learning_rate", "0.05", "0.010"), Change("recipe.epochs", "1", "3"))
    assert not any(change.is_fixed for change in changes(CONFIG, after))


def test_another_spelling_is_no_change() -> None:
    after = "# a remark\n" + CONFIG.replace('learning_rate = "0.05"', 'learning_rate = "0.050"')
    assert changes(CONFIG, after) == ()


@pytest.mark.parametrize(
    ("before", "after", "fixed"),
    [
        ('pool = "1000"', 'pool = "2000"', True),
        ('scorer_pool = "0"', 'scorer_pool = "1"', True),
        ("commit_seconds = 60", "commit_seconds = 61", True),
        ("maximum_pending = 1", "maximum_pending = 2", True),
        ('dispute_bond = "1"', 'dispute_bond = "2"', True),
        ("minimum_commits = 2", "minimum_commits = 3", False),
        ("body_bytes = 1000000", "body_bytes = 2000000", False),
        ('z = "0"', 'z = "1"', False),
        ("utility = 64", "utility = 65", False),
    ],
)
def test_what_the_contracts_were_deployed_with_is_fixed(before: str, after: str, fixed: bool) -> None:
    text = CONFIG.replace(before, after).replace("unbonding_seconds = 1000", "unbonding_seconds = 5000")
    changed = {change.key: change.is_fixed for change in changes(CONFIG, text)}
    assert changed.pop("stake.unbonding_seconds")
    assert list(changed.values()) == [fixed]


def test_the_hash_that_is_accepted_binds_config_and_task() -> None:
    config, task = b"\x01" * 32, b"\x02" * 32
    assert terms_hash(config, task) == hashlib.sha256(b"fairshare/terms/1" + config + task).digest()
    assert terms_hash(config, task) != terms_hash(task, config)


def test_a_terms_file_is_read_or_refused(tmp_path: Path) -> None:
    file = TermsFile(config_hash=b"\x01" * 32, task_hash=b"\x02" * 32)
    (tmp_path / "terms.json").write_text(file.model_dump_json())
    assert read_terms(tmp_path / "terms.json") == file
    (tmp_path / "terms.json").write_text("{}")
    with pytest.raises(FormatError, match="fairshare aggregator init"):
        read_terms(tmp_path / "terms.json")
    with pytest.raises(ConfigError):
        changes(CONFIG, "nothing")
