"""The sender against a real chain, killed at every step: each key's transaction is mined exactly once."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from ledger.errors import ChainUnavailable, Reverted, StillPending, TransactionRefused
from ledger.journal import FileJournal
from ledger.records import Call, RoundState
from ledger.sender import Entry, Journal, MemoryJournal, Mined, Sender
from protocol.contract_errors import CONTRACT_ERRORS
from tests.ledger.wire import BROADCAST, Killed, Wire, die
from tests.support.chain import COIN, LocalChain, LocalFederation, account

TO = account("somebody else").address


def pay(wei: int) -> Call:
    return Call(TO, b"", wei, f"pay {wei} wei")


def make_sender(chain: LocalChain, journal: Journal, patience: float = 5.0, who: str = "stranger") -> tuple[Wire, Sender]:
    wire = Wire(chain.url)
    return wire, Sender(wire.web3, account(who), journal, patience)


def paid(chain: LocalChain) -> int:
    return chain.web3.eth.get_balance(TO)


def nonce_of(chain: LocalChain, who: str = "stranger") -> int:
    return chain.web3.eth.get_transaction_count(account(who).address)


def test_a_submit_is_mined_and_says_where(chain: LocalChain) -> None:
    mined = chain.sender("stranger").submit("a", pay(5))
    block = chain.web3.eth.get_block("latest")
    assert mined == Mined(bytes(block["transactions"][0]), block["number"], 21_000)  # type: ignore[arg-type] # a hash
    assert paid(chain) == 5


def test_a_transaction_offers_twice_the_base_fee_and_a_tip(chain: LocalChain) -> None:
    base = chain.web3.eth.get_block("latest")["baseFeePerGas"]
    tip = chain.web3.eth.max_priority_fee
    mined = chain.sender("stranger").submit("a", pay(5))
    sent = chain.web3.eth.get_transaction(mined.tx_hash)  # type: ignore[arg-type] # plain bytes do
    assert (sent["maxFeePerGas"], sent["maxPriorityFeePerGas"], sent["type"]) == (2 * base + tip, tip, 2)


def test_the_same_key_again_sends_nothing(chain: LocalChain) -> None:
    wire, sender = make_sender(chain, MemoryJournal())
    first = sender.submit("a", pay(5))
    assert sender.submit("a", pay(5)) == first
    assert (wire.sent.count(BROADCAST), paid(chain)) == (1, 5)


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_kill_around_the_broadcast_leaves_one_transaction(chain: LocalChain, tmp_path: Path, point: str) -> None:
    wire, sender = make_sender(chain, FileJournal(tmp_path / "journal"))
    getattr(wire, point)[BROADCAST] = die
    with pytest.raises(Killed):
        sender.submit("a", pay(5))
    assert paid(chain) == (0 if point == "before" else 5)

    (recorded,) = FileJournal(tmp_path / "journal").entries("a")
    again_wire, again = make_sender(chain, FileJournal(tmp_path / "journal"))
    mined = again.submit("a", pay(5))
    assert mined.tx_hash == recorded.tx_hash, "never signed anew"
    assert again_wire.sent.count(BROADCAST) == (1 if point == "before" else 0)
    assert (paid(chain), nonce_of(chain)) == (5, 1)


def test_a_lost_answer_is_found_again_by_the_same_sender(chain: LocalChain) -> None:
    wire, sender = make_sender(chain, MemoryJournal())

    def lose() -> None:
        raise ChainUnavailable(chain.url, "the answer is lost")

    wire.after[BROADCAST] = lose
    with pytest.raises(ChainUnavailable):
        sender.submit("a", pay(5))
    sender.submit("a", pay(5))
    assert (paid(chain), nonce_of(chain)) == (5, 1)


def test_a_kill_before_the_record_is_durable_sends_nothing(chain: LocalChain) -> None:
    class Dying(MemoryJournal):
        def record(self, entry: Entry) -> None:
            die()

    wire, sender = make_sender(chain, Dying())
    with pytest.raises(Killed):
        sender.submit("a", pay(5))
    assert BROADCAST not in wire.sent
    assert (paid(chain), nonce_of(chain)) == (0, 0)


def test_a_transaction_left_behind_by_a_kill_goes_before_a_new_one(chain: LocalChain) -> None:
    journal = MemoryJournal()
    wire, sender = make_sender(chain, journal)
    wire.before[BROADCAST] = die
    with pytest.raises(Killed):
        sender.submit("left behind", pay(5))
    _, successor = make_sender(chain, journal)
    new = successor.submit("new", pay(7))
    old = successor.submit("left behind", pay(5))
    assert old.block < new.block
    assert (paid(chain), nonce_of(chain)) == (12, 2)


def test_a_rolled_back_transaction_is_sent_again_as_it_was(chain: LocalChain, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    with LocalChain(empty):
        pass
    shutil.copytree(empty, tmp_path / "copy")
    journal = MemoryJournal()
    with LocalChain(empty) as original:
        _, sender = make_sender(original, journal)
        before = [sender.submit(key, pay(5)) for key in ("a", "b")]
    with LocalChain(tmp_path / "copy") as rolled_back:
        assert nonce_of(rolled_back) == 0
        _, sender = make_sender(rolled_back, journal)
        new = sender.submit("c", pay(1))
        after = [sender.submit(key, pay(5)) for key in ("a", "b")]
        assert [m.tx_hash for m in after] == [m.tx_hash for m in before]
        assert [m.block for m in (*after, new)] == [1, 2, 3]
        assert paid(rolled_back) == 11


def test_a_call_that_would_revert_is_not_recorded(federation: LocalFederation) -> None:
    journal = MemoryJournal()
    wire, sender = make_sender(federation.chain, journal, who="aggregator")
    with pytest.raises(Reverted) as refused:
        sender.submit("a", federation.client.abandon(1))
    assert (refused.value.name, refused.value.arguments) == ("WrongState", (1, RoundState.NONE))
    refusal, _, told = str(refused.value).partition(". ")
    assert refusal == "abandon round 1: the contract refused with WrongState(round=1, state=none)"
    assert told == " ".join(CONTRACT_ERRORS["WrongState"][1:])
    assert (journal.entries("a"), refused.value.tx_hash) == ((), None)
    assert BROADCAST not in wire.sent
    sender.submit("a", federation.client.open_round(0, (bytes(32),), bytes(32)))
    assert federation.client.last_round() == 1, "the key is still free"


def test_a_transaction_that_fails_on_the_chain_says_why_every_time(federation: LocalFederation) -> None:
    client = federation.client
    federation.send("aggregator", client.open_round(0, (bytes(32),), bytes(32)))
    journal = MemoryJournal()
    wire, sender = make_sender(federation.chain, journal, who="aggregator")
    # It is recorded in time and reaches the chain too late.
    wire.before[BROADCAST] = lambda: federation.chain.advance_to(client.round(1).deadline)
    for _ in range(2):
        with pytest.raises(Reverted) as refused:
            sender.submit("close", client.close_round(1, b"\x07" * 32))
        assert (refused.value.name, refused.value.arguments) == ("WrongState", (1, RoundState.VOID))
        (entry,) = journal.entries("close")
        assert refused.value.tx_hash == entry.tx_hash
    assert wire.sent.count(BROADCAST) == 1


def test_too_little_coin_is_found_before_anything_is_recorded(chain: LocalChain) -> None:
    journal = MemoryJournal()
    poor = Sender(chain.web3, Account.from_key(b"\x77" * 32), journal)
    for wei in (0, 5):
        with pytest.raises(TransactionRefused, match=f"{poor.address} has 0 coin .*fairshare ledger fund {poor.address}"):
            poor.submit("a", pay(wei))
    rich = chain.sender("stranger")
    with pytest.raises(TransactionRefused, match="has 1000 coin"):
        rich.submit("all of it", pay(1000 * COIN))
    assert journal.entries("a") == ()
    assert rich.recorded("all of it") is None


def test_a_nonce_taken_by_another_program_is_named(chain: LocalChain) -> None:
    journal = MemoryJournal()
    wire, sender = make_sender(chain, journal)

    def contend() -> None:
        make_sender(chain, MemoryJournal())[1].submit("b", pay(7))

    wire.before[BROADCAST] = contend
    with pytest.raises(TransactionRefused, match="nonce 0 was used by another transaction"):
        sender.submit("a", pay(5))
    assert paid(chain) == 7
    assert sender.submit("c", pay(1)).block == 2, "new keys go on with the next nonce"


def test_an_unmined_transaction_is_pending_and_safe_to_submit_again(chain: LocalChain) -> None:
    journal = MemoryJournal()
    wire, sender = make_sender(chain, journal, patience=0.1)
    wire.swallowed[BROADCAST] = "0x" + "00" * 32
    with pytest.raises(StillPending, match="still pending after 0 s; it is safe") as pending:
        sender.submit("a", pay(5))
    (entry,) = journal.entries("a")
    assert pending.value.tx_hash == entry.tx_hash
    assert sender.next_nonce() == 1, "the journal knows of it, the chain does not"
    wire.swallowed.clear()
    assert sender.submit("a", pay(5)).tx_hash == entry.tx_hash
    assert paid(chain) == 5


@pytest.mark.parametrize("keys", [["a"] * 4, ["a", "b", "c", "d"]], ids=["one key", "four keys"])
def test_threads_take_turns(chain: LocalChain, keys: list[str]) -> None:
    sender = chain.sender("stranger")
    mined: list[Mined] = []
    threads = [threading.Thread(target=lambda k=key: mined.append(sender.submit(k, pay(5)))) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    different = len(set(keys))
    assert (len(mined), len(set(mined)), nonce_of(chain), paid(chain)) == (len(keys), different, different, 5 * different)


@pytest.mark.parametrize("make", [lambda path: MemoryJournal(), FileJournal], ids=["memory", "file"])
def test_a_journal_finds_what_it_recorded(make: Callable[[Path], Journal], tmp_path: Path) -> None:
    journal = make(tmp_path / "directory" / "journal")
    assert (journal.entries("a"), journal.highest_nonce(), list(journal.since(0))) == ((), None, [])
    entries = [Entry(key, nonce, key.encode(), bytes(32)) for key, nonce in (("a", 8), ("b", 7), ("c", 9))]
    for entry in entries:
        journal.record(entry)
    a, b, c = entries
    assert [journal.entries(key) for key in "abcd"] == [(a,), (b,), (c,), ()]
    assert journal.highest_nonce() == 9
    assert (list(journal.since(0)), list(journal.since(9)), list(journal.since(10))) == ([b, a, c], [c], [])
    dearer = Entry("a", 8, b"dearer", b"\x01" * 32)
    journal.record(dearer)
    assert journal.entries("a") == (a, dearer)
    assert list(journal.since(0)) == [b, dearer, c]
    if isinstance(journal, FileJournal):
        assert FileJournal(journal.path).entries("a") == (a, dearer)
