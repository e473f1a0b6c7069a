"""The directory's files: node.toml and its overrides, durable writing, the accepted terms."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.source import TaskSource
from node.errors import HomeIncomplete, SettingsInvalid, TermsChanged
from node.home import NodeHome
from node.settings import NodeSettings, read_settings, settings_text
from protocol.config import parse_config
from tests.node.conftest import NODE_CONFIG, SOURCE

SETTINGS = NodeSettings(
    federation_url="http://127.0.0.1:8000",
    rpc_url="http://127.0.0.1:8545",
    chain_id=31337,
    ledger="0x5FbDB2315678afecb367f032d93F642f64180aa3",
    payout="0x5FbDB2315678afecb367f032d93F642f64180aa3",
    data="3/8",
    task_entry="Parity",
    accepted_config=parse_config(NODE_CONFIG).sha256(),
    accepted_task=SOURCE.sha256(),
)


@settings(deadline=None)  # it writes files
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**64), st.binary(min_size=32, max_size=32))
def test_settings_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, text: str, number: int, digest: bytes
) -> None:
    path = tmp_path_factory.mktemp("settings") / "node.toml"
    wanted = SETTINGS.model_copy(update={"data": text, "chain_id": number, "accepted_task": digest})
    path.write_bytes(settings_text(wanted).encode())
    assert read_settings(path, {}) == wanted


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    home = NodeHome(tmp_path)
    home.write_settings(SETTINGS)
    assert home.settings({}) == SETTINGS
    found = home.settings({"FAIRSHARE_NODE_RPC_URL": "http://other:1", "FAIRSHARE_NODE_CHAIN_ID": "5", "RPC_URL": "no"})
    assert found == SETTINGS.model_copy(update={"rpc_url": "http://other:1", "chain_id": 5})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("federation_url = ", "not valid TOML"),
        (settings_text(SETTINGS) + "colour = 'red'\n", "colour"),
        (settings_text(SETTINGS).replace("chain_id = 31337", 'chain_id = "many"'), "chain_id"),
        (settings_text(SETTINGS).replace("ledger =", "# ledger ="), "ledger"),
        (settings_text(SETTINGS).replace('accepted_task = "0x', 'accepted_task = "0x00'), "accepted_task"),
    ],
)
def test_settings_that_are_none_name_the_field(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "node.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=named):
        NodeHome(tmp_path).settings({})


def test_the_accepted_terms_come_back_and_a_change_is_found(tmp_path: Path) -> None:
    home = NodeHome(tmp_path)
    with pytest.raises(HomeIncomplete, match=r"federation\.toml"):
        home.terms(SETTINGS)
    home.keep_terms(NODE_CONFIG, SOURCE)
    assert home.terms(SETTINGS).task == SOURCE
    assert home.terms(SETTINGS).config == parse_config(NODE_CONFIG)
    (tmp_path / "federation.toml").write_text(NODE_CONFIG.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(TermsChanged, match="copy of the config"):
        home.terms(SETTINGS)
    home.keep_terms(NODE_CONFIG, SOURCE)
    (tmp_path / "task" / "more.py").write_text("")
    with pytest.raises(Exception, match=r"__init__\.py|copy of the task"):
        home.terms(SETTINGS)


def test_a_package_with_windows_line_ends_keeps_its_hash(tmp_path: Path) -> None:
    source = TaskSource(
        "T", (("__init__.py", b"from .inner.a import T\r\n"), ("inner/__init__.py", b""), ("inner/a.py", b"T = 1\r\n"))
    )
    home = NodeHome(tmp_path)
    home.keep_terms(NODE_CONFIG, SOURCE)
    home.keep_terms(NODE_CONFIG, source)  # in place of the other one
    settings = SETTINGS.model_copy(update={"task_entry": "T", "accepted_task": source.sha256()})
    assert home.terms(settings).task == source
