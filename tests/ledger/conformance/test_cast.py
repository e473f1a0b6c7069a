"""Foundry's `cast` on the chains that are served: a client that is not ours, nor web3."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.config import parse_config
from tests.ledger.conformance.chains import Anvil, Served, foundry
from tests.support.chain import COIN, CONFIG, TestFederation, account, founding
from tests.support.processes import PATIENCE

KEY = "0x" + bytes(account("stranger").key).hex()


@pytest.fixture(params=[Served, Anvil], scope="module")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served | Anvil]:
    started: Served | Anvil = request.param(tmp_path_factory.mktemp("cast") / "chain")
    yield started
    started.stop()


def cast(chain: Served | Anvil, *arguments: str, code: int = 0) -> str:
    command: list[str | Path] = [foundry("cast"), *arguments, "--rpc-url", chain.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == code, done.stderr
    return done.stdout.strip() if code == 0 else done.stderr


def test_cast_reads_sends_and_sees_why_a_contract_refuses(chain: Served | Anvil) -> None:
    assert cast(chain, "chain-id") == str(chain.chain_id)
    config = parse_config(CONFIG)
    federation = TestFederation.deployed(chain, config, founding(config))
    federation.join(0)
    number, ledger, token = federation.play((10_000_000,)), federation.client.ledger_address, federation.client.token_address
    assert cast(chain, "call", ledger, "lastRound()(uint64)") == str(number)

    sent = json.loads(cast(chain, "send", ledger, "claim(uint32,uint64[])", "0", f"[{number}]", "--private-key", KEY, "--json"))
    assert int(sent["status"], 16) == 1
    owner = account("owner 0").address
    assert cast(chain, "call", token, "balanceOf(address)(uint256)", owner).split()[0] == str(1000 * COIN)
    assert cast(chain, "receipt", sent["transactionHash"], "blockNumber") == str(int(sent["blockNumber"], 16))
    transfer = "Transfer(address,address,uint256)"
    transfers = json.loads(cast(chain, "logs", "--from-block", sent["blockNumber"], "--address", token, transfer, "--json"))
    assert [int(log["data"], 16) for log in transfers] == [1000 * COIN]

    twice = cast(chain, "send", ledger, "claim(uint32,uint64[])", "0", f"[{number}]", "--private-key", KEY, code=1)
    assert "revert" in twice
    assert "0x" in twice, "and its data, for whoever has the ABI"
    foreign = cast(chain, "send", owner, "--value", "1", "--private-key", KEY, "--chain", "1", code=1)
    assert "chain" in foreign.lower()


def test_cast_sees_blocks_balances_and_transactions(chain: Served | Anvil, tmp_path: Path) -> None:
    sent = json.loads(cast(chain, "send", account("nobody").address, "--value", "5", "--private-key", KEY, "--json"))
    assert cast(chain, "balance", account("nobody").address) == "5"
    block = json.loads(cast(chain, "block", sent["blockNumber"], "--json"))
    assert block["transactions"] == [sent["transactionHash"]]
    assert json.loads(cast(chain, "tx", sent["transactionHash"], "--json"))["value"] == "0x5"
    assert cast(chain, "nonce", account("stranger").address) == str(
        chain.web3.eth.get_transaction_count(account("stranger").address)
    )
