"""What only a chain with a mempool, or one before EIP-1559, shows: transactions that wait, and blocks without a base fee."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from ledger.errors import StillPending
from ledger.fees import Fees, read_signed
from ledger.records import Call
from ledger.sender import MemoryJournal, Sender
from tests.ledger.conformance.chains import Anvil
from tests.support.chain import account

TO = account("somebody else").address


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[Callable[..., Anvil]]:
    """Starts anvils with options of their own."""
    with ExitStack() as stack:

        def start(*options: str) -> Anvil:
            started = Anvil(tmp_path / "anvil", *options)
            stack.callback(started.stop)
            return started

        yield start


def pay(wei: int) -> Call:
    return Call(TO, b"", wei, f"pay {wei} wei")


def test_a_stuck_transaction_is_outbid_under_its_own_nonce_and_mined_once(anvil: Callable[..., Anvil]) -> None:
    chain, journal = anvil(), MemoryJournal()
    sender = Sender(chain.web3, account("stranger"), journal, patience=0.2)
    chain.ask("evm_setAutomine", False)
    for attempts in (2, 3):
        with pytest.raises(StillPending, match="nothing is sent twice"):
            sender.submit("a", pay(5))
        assert len(journal.entries("a")) == attempts
    offers = [read_signed(entry.raw).fees for entry in journal.entries("a")]
    for earlier, later in pairwise(offers):
        assert later.most * 100 >= earlier.most * 110
        assert (later.tip or 0) * 100 >= (earlier.tip or 0) * 110
    # One that waits behind another is not outbid: it is not its fee that it waits for.
    with pytest.raises(StillPending):
        sender.submit("b", pay(7))
    assert len(journal.entries("b")) == 1
    chain.ask("anvil_mine")
    mined = sender.submit("a", pay(5))
    assert mined.tx_hash == journal.entries("a")[-1].tx_hash
    assert sender.submit("b", pay(7)).block == mined.block
    assert (chain.web3.eth.get_balance(TO), chain.web3.eth.get_transaction_count(sender.address)) == (12, 2)


def test_an_earlier_bid_that_was_mined_after_all_is_found(anvil: Callable[..., Anvil]) -> None:
    chain, journal = anvil(), MemoryJournal()
    sender = Sender(chain.web3, account("stranger"), journal, patience=0.2)
    chain.ask("evm_setAutomine", False)
    with pytest.raises(StillPending):
        sender.submit("a", pay(5))
    first, dearer = journal.entries("a")
    chain.ask("anvil_dropTransaction", "0x" + dearer.tx_hash.hex())
    chain.web3.eth.send_raw_transaction(first.raw)
    chain.ask("anvil_mine")
    assert sender.submit("a", pay(5)).tx_hash == first.tx_hash
    assert chain.web3.eth.get_balance(TO) == 5


def test_where_blocks_have_no_base_fee_one_price_is_offered(anvil: Callable[..., Anvil]) -> None:
    chain, journal = anvil("--hardfork", "berlin"), MemoryJournal()
    assert "baseFeePerGas" not in chain.web3.eth.get_block("latest")
    sender = Sender(chain.web3, account("stranger"), journal, patience=10)
    mined = sender.submit("a", pay(5))
    sent = chain.web3.eth.get_transaction(mined.tx_hash)  # type: ignore[arg-type] # it takes plain bytes
    assert (int(sent["type"]), sent["gasPrice"]) == (0, chain.web3.eth.gas_price)
    (entry,) = journal.entries("a")
    assert read_signed(entry.raw).fees == Fees(sent["gasPrice"], None)
    chain.ask("evm_setAutomine", False)
    with pytest.raises(StillPending):
        sender.submit("b", pay(7))
    assert len(journal.entries("b")) == 2
    chain.ask("anvil_mine")
    sender.submit("b", pay(7))
    assert chain.web3.eth.get_balance(TO) == 12
