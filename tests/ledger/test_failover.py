"""Several nodes of one chain: one wrong, one dead, one behind; and every command that takes `--rpc-url` takes them."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner
from web3 import Web3

from ledger.chain.server import ChainServer
from ledger.cli import app
from ledger.connection import connect
from ledger.errors import ChainUnavailable, WrongChain
from ledger.failover import FailoverProvider
from tests.support.chain import LocalChain, LocalFederation


@pytest.fixture
def dead() -> Iterator[str]:
    """A URL at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """A node of chain 5."""
    with ChainServer(tmp_path / "other.sqlite", port=0, chain_id=5) as server:
        yield server.url


@pytest.fixture
def behind(chain: LocalChain, tmp_path: Path) -> Iterator[str]:
    """A node of the chain that has none but its first block, while the chain goes on to block 6."""
    chain.__exit__()
    shutil.copytree(chain.database.parent, tmp_path / "behind")
    chain._serve(int(chain.url.rpartition(":")[2]))
    chain.__enter__()
    chain.mine(6)
    with LocalChain(tmp_path / "behind") as stale:
        yield stale.url


def test_the_one_that_is_alive_right_and_furthest_is_asked(chain: LocalChain, dead: str, other: str, behind: str) -> None:
    web3 = connect(f"{dead}, {other},{behind},{chain.url}", chain.chain_id)
    assert (web3.eth.chain_id, web3.eth.block_number) == (chain.chain_id, 6)


def test_one_that_dies_is_left_for_the_next_in_the_middle_of_everything(tmp_path: Path) -> None:
    with LocalChain(tmp_path / "one") as first:
        first.mine(1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with ExitStack() as stack:
        first, second = LocalChain(tmp_path / "one"), LocalChain(tmp_path / "two")
        stack.enter_context(second)
        first.__enter__()
        web3 = connect(f"{first.url},{second.url}", first.chain_id)
        assert (web3.eth.block_number, web3.provider.url) == (1, first.url)  # type: ignore[attr-defined] # ours has it
        first.__exit__()
        assert (web3.eth.block_number, web3.provider.url) == (1, second.url)  # type: ignore[attr-defined]


def test_one_that_falls_behind_is_left_when_they_are_compared_again(chain: LocalChain, behind: str) -> None:
    now = [0.0]
    provider = FailoverProvider([behind, chain.url], chain.chain_id, clock=lambda: now[0], recheck=60)
    provider._current = provider._providers[0]  # as if it had been level when it was chosen
    assert Web3(provider).eth.block_number == 0
    now[0] = 61
    assert (Web3(provider).eth.block_number, provider.url) == (6, chain.url)


def test_without_a_usable_one_it_is_said_of_each(dead: str, other: str) -> None:
    with pytest.raises(ChainUnavailable, match=r"no connection; .* is of chain 5, but chain 1 is expected") as refused:
        connect(f"{dead},{other}", 1)
    assert refused.value.url == f"{dead} or {other}"
    with pytest.raises(WrongChain):
        connect(f"{other},{other}", 1)


def test_commands_take_several(federation: LocalFederation, dead: str) -> None:
    urls = f"{dead},{federation.chain.url}"
    asked = ["status", "--ledger", federation.deployment.ledger, "--chain-id", "31337", "--rpc-url", urls, "--json"]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 0, answer.stderr
    assert json.loads(answer.stdout)["ledger"] == federation.deployment.ledger
