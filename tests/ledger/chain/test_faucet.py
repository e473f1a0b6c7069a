from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eth_account import Account

from ledger.chain.engine import FAUCET_BALANCE
from ledger.chain.faucet import FaucetFile, faucet_path, fund
from ledger.chain.server import ChainServer
from ledger.errors import ChainUnavailable, FaucetUnreadable, NotLocalChain, TransactionRefused
from tests.ledger.chain.conftest import User

COIN = 10**18


@pytest.fixture
def faucet(server: ChainServer, tmp_path: Path) -> Path:
    return faucet_path(tmp_path / "chain.sqlite")


def test_fund_sends_coin_to_an_address(server: ChainServer, faucet: Path, user: User) -> None:
    somebody = Account.create().address
    transaction_hash = fund(server.url, faucet, somebody.lower(), 5 * COIN)
    assert user.web3.eth.get_balance(somebody) == 5 * COIN
    assert user.web3.eth.get_transaction_receipt(transaction_hash)["status"] == 1  # type: ignore[arg-type]


def test_two_who_fund_at_once_both_do(server: ChainServer, faucet: Path, user: User) -> None:
    somebody = Account.create().address
    with ThreadPoolExecutor(4) as pool:
        hashes = list(pool.map(lambda _: fund(server.url, faucet, somebody, COIN), range(8)))
    assert len(set(hashes)) == 8
    assert user.web3.eth.get_balance(somebody) == 8 * COIN


def test_the_faucets_file_is_its_owners_alone_and_hides_the_key_from_logs(faucet: Path) -> None:
    assert faucet.stat().st_mode & 0o777 == 0o600
    file = FaucetFile.read(faucet)
    assert file.private_key.hex() not in repr(file)
    assert list(faucet.parent.glob("*.faucet.json*")) == [faucet]


def test_the_faucet_of_another_chain_is_refused(server: ChainServer, tmp_path: Path) -> None:
    with ChainServer(tmp_path / "other.sqlite", 0):
        pass
    with pytest.raises(NotLocalChain, match="its genesis is 0x"):
        fund(server.url, faucet_path(tmp_path / "other.sqlite"), Account.create().address, COIN)
    with ChainServer(tmp_path / "third.sqlite", 0, chain_id=5):
        pass
    with pytest.raises(NotLocalChain, match="its chain id is 31337, the faucet is of chain 5"):
        fund(server.url, faucet_path(tmp_path / "third.sqlite"), Account.create().address, COIN)


def test_a_chain_that_is_not_local_is_refused(server: ChainServer, faucet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.chain.faucet.CLIENT_VERSION", "fairshare-local/2")
    with pytest.raises(NotLocalChain, match="fairshare-local/1 answers"):
        fund(server.url, faucet, Account.create().address, COIN)


def test_of_several_nodes_one_that_answers_is_enough(server: ChainServer, faucet: Path, user: User) -> None:
    somebody = Account.create().address
    fund(f"http://127.0.0.1:1,{server.url}", faucet, somebody, COIN)
    assert user.web3.eth.get_balance(somebody) == COIN


def test_a_chain_that_is_down_is_named(faucet: Path) -> None:
    with pytest.raises(ChainUnavailable, match=r"no chain answers at http://127\.0\.0\.1:1 "):
        fund("http://127.0.0.1:1", faucet, Account.create().address, COIN)


def test_a_missing_or_damaged_file_is_named(server: ChainServer, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.json"
    with pytest.raises(FaucetUnreadable, match=r"damaged\.json"):
        fund(server.url, damaged, Account.create().address, COIN)
    damaged.write_text("{}")
    with pytest.raises(FaucetUnreadable, match=r"damaged\.json"):
        fund(server.url, damaged, Account.create().address, COIN)


def test_more_than_there_is_is_refused(server: ChainServer, faucet: Path) -> None:
    with pytest.raises(TransactionRefused, match="insufficient funds"):
        fund(server.url, faucet, Account.create().address, FAUCET_BALANCE + 1)
