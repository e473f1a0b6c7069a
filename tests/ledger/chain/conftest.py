"""A chain served over real HTTP, its clock in the test's hand, and an account with coin to use it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.types import TxReceipt

from ledger.chain.engine import LOCAL_CHAIN_ID
from ledger.chain.server import ChainServer
from tests.ledger.chain.contracts import init_code
from tests.support.processes import PATIENCE

MIDSUMMER = 1_750_000_000
RICH = 10**24


class ManualClock:
    """Seconds since 1970, as the test says."""

    def __init__(self, now: int = MIDSUMMER):
        self.now = now

    def __call__(self) -> int:
        return self.now


class User:
    """An account and its way to the chain: signs here, as every client of ours does, and sends raw transactions."""

    def __init__(self, url: str, account: LocalAccount):
        self.web3 = Web3(HTTPProvider(url))
        self.account = account

    def sign(self, **fields: Any) -> bytes:
        if "nonce" not in fields:
            fields["nonce"] = self.web3.eth.get_transaction_count(self.account.address)
        transaction = {
            "chainId": LOCAL_CHAIN_ID,
            "value": 0,
            "gas": 200_000,
            **({} if "gasPrice" in fields else {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}),
            **fields,
        }
        return bytes(self.account.sign_transaction(transaction).raw_transaction)

    def send(self, **fields: Any) -> TxReceipt:
        return self.web3.eth.get_transaction_receipt(self.web3.eth.send_raw_transaction(self.sign(**fields)))

    def deploy(self, runtime: bytes) -> str:
        receipt = self.send(data=init_code(runtime))
        assert receipt["status"] == 1
        return str(receipt["contractAddress"])

    def rpc(self, method: str, *params: Any) -> Any:
        """Return the whole answer, untouched by web3's formatters."""
        return self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def account() -> LocalAccount:
    created: LocalAccount = Account.create()
    return created


@pytest.fixture
def server(tmp_path: Path, clock: ManualClock, account: LocalAccount) -> Iterator[ChainServer]:
    with ChainServer(tmp_path / "chain.sqlite", 0, alloc={account.address: RICH}, clock=clock) as server:
        yield server


@pytest.fixture
def user(server: ChainServer, account: LocalAccount) -> User:
    return User(server.url, account)


class ServedChain:
    """`serve_chain` in a process of its own."""

    def __init__(self, database: Path):
        code = f"""
from pathlib import Path
from ledger.chain.server import serve_chain
serve_chain(Path({str(database)!r}), 0, announce=lambda url: print(url, flush=True))
"""
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal and return the exit code and what else was printed."""
        self.process.send_signal(number)
        printed, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, printed


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedChain]:
    chain = ServedChain(tmp_path / "chain.sqlite")
    yield chain
    chain.process.kill()
    chain.process.wait()
    assert chain.process.stdout is not None
    chain.process.stdout.close()
