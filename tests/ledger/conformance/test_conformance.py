"""One suite for every chain: what fairshare asks of a node holds on all of them, or it would be an accident of one."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from eth_typing import Hash32
from eth_utils.crypto import keccak
from web3.exceptions import Web3RPCError

from ledger.connection import connect
from ledger.errors import Reverted, WrongChain
from ledger.journal import FileJournal
from ledger.records import Call, RoundState
from ledger.sender import Entry, MemoryJournal, Sender
from protocol.config import parse_config
from tests.ledger.conformance.chains import CHAINS, AnyChain, InProcess
from tests.support.chain import COIN, CONFIG, TestFederation, account, founding

TO = account("somebody else").address


@pytest.fixture(params=CHAINS, scope="module")
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyChain]:
    """Each chain in turn; the tests share it and start from whatever the one before left."""
    started = CHAINS[request.param](tmp_path_factory.mktemp("conformance") / "chain")
    yield started
    started.stop()


def pay(wei: int) -> Call:
    return Call(TO, b"", wei, f"pay {wei} wei")


def signed(chain: AnyChain, nonce: int, **changes: Any) -> bytes:
    """A payment of 5 wei by the stranger, with fees that any block takes."""
    fields: dict[str, Any] = {"type": 2, "chainId": chain.chain_id, "nonce": nonce, "to": TO, "value": 5, "gas": 21_000}
    fees = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**9}
    return bytes(account("stranger").sign_transaction({**fields, **fees, **changes}).raw_transaction)


def nonce_of(chain: AnyChain) -> int:
    return chain.web3.eth.get_transaction_count(account("stranger").address)


def test_a_federation_from_deployment_to_claims(chain: AnyChain) -> None:
    config = parse_config(CONFIG)
    federation = TestFederation.deployed(chain, config, founding(config))
    client = federation.client
    assert [federation.join(0), federation.join(1)] == [0, 1]
    number = federation.play((6_000_000, 4_000_000))
    federation.send("stranger", client.claim(0, [number]))
    assert client.balance(account("owner 0").address) == 600 * COIN
    assert (client.claimed(0, number), client.claimed(1, number)) == (True, False)
    with pytest.raises(Reverted) as refused:
        federation.send("stranger", client.claim(0, [number]))
    assert (refused.value.name, refused.value.arguments) == ("AlreadyClaimed", (number,)), "the data of a revert comes through"

    # Its events are found by address and topic, within a range of blocks.
    opened, last = client._ledger.events.RoundOpened(), client.block().number
    logs = list(opened.get_logs(from_block=federation.deployment.block, to_block=last))
    assert [log["args"]["round"] for log in logs] == [number]
    assert list(opened.get_logs(from_block=logs[0]["blockNumber"] + 1, to_block=last)) == []

    # The clock moves without blocks, and decides.
    federation.send("aggregator", client.open_round(number, (bytes(32),), bytes(32)))
    height = client.block().number
    chain.advance(config.rounds.commit_seconds + config.rounds.close_seconds)
    assert (client.round(number + 1).state, client.block().number) == (RoundState.VOID, height)


def test_a_transaction_for_another_chain_is_never_taken(chain: AnyChain) -> None:
    before = nonce_of(chain)
    with pytest.raises(Web3RPCError):
        chain.web3.eth.send_raw_transaction(signed(chain, before, chainId=1))
    assert nonce_of(chain) == before
    if not isinstance(chain, InProcess):
        with pytest.raises(WrongChain):
            connect(chain.url, 1)


def test_a_nonce_gap_is_never_jumped(chain: AnyChain) -> None:
    nonce = nonce_of(chain)
    ahead = signed(chain, nonce + 1)
    with suppress(Web3RPCError):  # a chain without a mempool says so at once, one with it waits
        chain.web3.eth.send_raw_transaction(ahead)
    assert nonce_of(chain) == nonce
    chain.web3.eth.send_raw_transaction(signed(chain, nonce))
    with suppress(Web3RPCError):  # the waiting one was mined by itself
        chain.web3.eth.send_raw_transaction(ahead)
    chain.web3.eth.wait_for_transaction_receipt(Hash32(keccak(ahead)))  # anvil answers before it has mined
    assert nonce_of(chain) == nonce + 2


def test_what_a_crash_left_behind_goes_first(chain: AnyChain, tmp_path: Path) -> None:
    journal, nonce, before = FileJournal(tmp_path / "journal"), nonce_of(chain), chain.web3.eth.get_balance(TO)
    raw = signed(chain, nonce)
    journal.record(Entry("left behind", nonce, raw, keccak(raw)))
    sender = Sender(chain.web3, account("stranger"), FileJournal(tmp_path / "journal"), patience=10)
    new = sender.submit("new", pay(7))
    old = sender.submit("left behind", pay(5))
    assert old.block < new.block
    assert (old.tx_hash, chain.web3.eth.get_balance(TO) - before) == (keccak(raw), 12)


def test_a_fee_that_no_block_takes_is_raised_under_the_same_nonce(chain: AnyChain) -> None:
    journal, nonce, before = MemoryJournal(), nonce_of(chain), chain.web3.eth.get_balance(TO)
    raw = signed(chain, nonce, maxFeePerGas=1, maxPriorityFeePerGas=1)
    journal.record(Entry("cheap", nonce, raw, keccak(raw)))
    sender = Sender(chain.web3, account("stranger"), journal, patience=10)
    mined = sender.submit("cheap", pay(5))
    assert [entry.nonce for entry in journal.entries("cheap")] == [nonce, nonce]
    assert mined.tx_hash == journal.entries("cheap")[-1].tx_hash
    assert sender.submit("cheap", pay(5)) == mined
    assert (nonce_of(chain), chain.web3.eth.get_balance(TO) - before) == (nonce + 1, 5)


def test_another_call_takes_the_place_of_one_that_is_not_mined(chain: AnyChain) -> None:
    journal, nonce, before = MemoryJournal(), nonce_of(chain), chain.web3.eth.get_balance(TO)
    raw = signed(chain, nonce, value=500)
    journal.record(Entry("a", nonce, raw, keccak(raw)))
    sender = Sender(chain.web3, account("stranger"), journal, patience=10)
    sender.submit("a", pay(5))
    assert (nonce_of(chain), chain.web3.eth.get_balance(TO) - before) == (nonce + 1, 5)
    sender.submit("a", pay(500))
    assert chain.web3.eth.get_balance(TO) - before == 5, "once one is mined, nothing is sent any more"


def test_a_restart_loses_nothing(chain: AnyChain) -> None:
    chain.sender("stranger").submit("before", pay(5))
    head, paid, nonce = chain.web3.eth.get_block("latest"), chain.web3.eth.get_balance(TO), nonce_of(chain)
    chain.stop()
    chain.start()
    again = chain.web3.eth.get_block("latest")
    assert (again["number"], again["hash"]) == (head["number"], head["hash"])
    assert (chain.web3.eth.get_balance(TO), nonce_of(chain)) == (paid, nonce)
    chain.sender("stranger").submit("after", pay(7))
    assert chain.web3.eth.get_balance(TO) == paid + 7
