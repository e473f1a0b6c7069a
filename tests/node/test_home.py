"""The directory's files: node.toml and its overrides, durable writing, the accepted terms."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.source import TaskSource
from node.errors import HomeIncomplete, TermsChanged
from node.home import NodeHome, Terms
from node.settings import NodeSettings
from protocol.config import parse_config
from protocol.errors import FormatError
from tests.node.conftest import NODE_CONFIG, SOURCE

SETTINGS = NodeSettings(
    federation_url="http://127.0.0.1:8000",
    rpc_url="http://127.0.0.1:8545",
    chain_id=31337,
    ledger="0x5FbDB2315678afecb367f032d93F642f64180aa3",
    payout="0x5FbDB2315678afecb367f032d93F642f64180aa3",
    data="3/8",
)


@settings(deadline=None)  # it writes files
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**64))
def test_settings_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, text: str, number: int) -> None:
    path = tmp_path_factory.mktemp("settings") / "node.toml"
    wanted = SETTINGS.model_copy(update={"data": text, "chain_id": number})
    path.write_bytes(wanted.text().encode())
    assert NodeSettings.read(path) == wanted


def test_the_environment_wins_over_the_file_and_is_not_written_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = NodeHome(tmp_path)
    assert home.written_settings() is None
    home.write_settings(SETTINGS)
    assert home.settings() == SETTINGS
    changes = {"rpc_url": "http://other:1", "chain_id": "5", "scorers": "http://a,http://b"}
    for name, value in changes.items():
        monkeypatch.setenv(f"FAIRSHARE_NODE_{name.upper()}", value)
    monkeypatch.setenv("RPC_URL", "http://no:1")
    scorers = ("http://a", "http://b")
    assert home.settings() == SETTINGS.model_copy(update={"rpc_url": "http://other:1", "chain_id": 5, "scorers": scorers})
    assert NodeSettings(**SETTINGS.model_dump()) == home.written_settings() == SETTINGS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("federation_url = ", "not valid TOML"),
        (SETTINGS.text() + "colour = 'red'\n", "colour"),
        (SETTINGS.text().replace("chain_id = 31337", 'chain_id = "many"'), "chain_id"),
        (SETTINGS.text().replace("ledger =", "# ledger ="), "ledger"),
    ],
)
def test_settings_that_are_none_name_the_field(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "node.toml").write_text(text)
    with pytest.raises(FormatError, match=named):
        NodeHome(tmp_path).settings()


TERMS = Terms(NODE_CONFIG, parse_config(NODE_CONFIG), SOURCE)
PAIR = (TERMS.config.sha256(), SOURCE.sha256())


def test_accepted_terms_come_back_and_a_change_is_found(tmp_path: Path) -> None:
    home = NodeHome(tmp_path)
    with pytest.raises(HomeIncomplete, match="accepted terms"):
        home.rounds()
    assert (home.accepted(*PAIR), home.last_accepted()) == (None, None)
    home.keep_terms(TERMS)
    assert home.accepted(*PAIR) == home.last_accepted() == TERMS
    assert home.rounds() == TERMS.config.rounds
    folder = tmp_path / "terms" / TERMS.digest.hex()
    assert {path.name for path in folder.iterdir()} == {"federation.toml", "entry", "task"}
    for name, text in (
        ("federation.toml", NODE_CONFIG.replace("epochs = 1", "epochs = 2")),
        ("entry", "Other"),
        ("task/parity.py", "raise SystemExit"),
    ):
        before = (folder / name).read_text()
        (folder / name).write_text(text)
        with pytest.raises(TermsChanged, match=f"{TERMS.digest.hex()} was changed"):
            home.accepted(*PAIR)
        (folder / name).write_text(before)
    assert home.accepted(*PAIR) == TERMS


def test_earlier_terms_stay_accepted(tmp_path: Path) -> None:
    home, text = NodeHome(tmp_path), NODE_CONFIG.replace("epochs = 1", "epochs = 2")
    later = Terms(text, parse_config(text), SOURCE)
    home.keep_terms(TERMS)
    home.keep_terms(later)
    assert home.accepted(*PAIR) == TERMS
    assert home.accepted(later.config.sha256(), SOURCE.sha256()) == home.last_accepted() == later


def test_terms_whose_writing_was_cut_off_are_not_accepted(tmp_path: Path) -> None:
    home = NodeHome(tmp_path)
    home.keep_terms(TERMS)
    folder = tmp_path / "terms" / TERMS.digest.hex()
    folder.rename(folder.with_suffix(".new"))
    assert (home.accepted(*PAIR), home.last_accepted()) == (None, None)
    home.keep_terms(TERMS)
    assert home.accepted(*PAIR) == TERMS


def test_a_package_with_windows_line_ends_keeps_its_hash(tmp_path: Path) -> None:
    source = TaskSource(
        "T", (("__init__.py", b"from .inner.a import T\r\n"), ("inner/__init__.py", b""), ("inner/a.py", b"T = 1\r\n"))
    )
    home = NodeHome(tmp_path)
    home.keep_terms(replace(TERMS, task=source))
    assert home.accepted(PAIR[0], source.sha256()) == replace(TERMS, task=source)
