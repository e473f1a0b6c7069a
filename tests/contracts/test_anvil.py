"""The same flow on another engine: what works on the local chain is not an accident of it."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.connection import connect
from ledger.errors import ChainUnavailable, Reverted
from ledger.records import RoundState
from protocol.config import parse_config
from tests.support.chain import ACCOUNTS, COIN, CONFIG, TestChain, TestFederation, account, founding

ANVIL = Path(__file__).parents[2] / "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


@pytest.fixture
def anvil() -> Iterator[TestChain]:
    if not ANVIL.exists():
        pytest.skip("anvil is not installed: `npm ci` in contracts/ does it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([ANVIL, "--port", str(port), "--silent"]) as process:
        try:
            chain = TestChain(f"http://127.0.0.1:{port}")
            wait_for(chain, process)
            for name in ACCOUNTS:
                chain.web3.provider.make_request("anvil_setBalance", [account(name).address, hex(1000 * COIN)])  # type: ignore[arg-type]
            yield chain
        finally:
            process.terminate()


def wait_for(chain: TestChain, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            connect(chain.url, chain.chain_id)
            return
        except ChainUnavailable:
            pass
    pytest.fail(f"anvil ended with {process.returncode}")


def test_a_federation_lives_on_anvil(anvil: TestChain) -> None:
    config = parse_config(CONFIG)
    federation = TestFederation.deployed(anvil, config, founding(config))
    client = federation.client
    assert [federation.join(0), federation.join(1)] == [0, 1]
    number = federation.play((6_000_000, 4_000_000))
    federation.send("stranger", client.claim(0, [number]))
    assert client.balance(account("owner 0").address) == 600 * COIN
    with pytest.raises(Reverted) as refused:
        federation.send("stranger", client.claim(0, [number]))
    assert (refused.value.name, refused.value.arguments) == ("AlreadyClaimed", (number,))

    federation.send("aggregator", client.open_round(number, (bytes(32),), bytes(32)))
    height = client.block().number
    anvil.advance(config.rounds.commit_seconds + config.rounds.close_seconds)
    assert (client.round(number + 1).state, client.block().number) == (RoundState.VOID, height)
    with pytest.raises(Reverted) as refused:
        federation.send("aggregator", client.close_round(number + 1, bytes(32)))
    assert (refused.value.name, refused.value.arguments) == ("WrongState", (number + 1, RoundState.VOID))
