"""One queue of transactions per key: whatever crashes, each is mined at most once, and found again.

A key keeps its nonce for ever. The signed transaction goes into the journal *before* it goes to the chain; whatever is signed
later for the same key, because the fee was too low or a rollback made another call due, has the same nonce, so the chain takes
one of them at most. A crash at any point is healed by submitting again. The receipt decides what happened, never the answer to
a broadcast: "already known" and "nonce too low" are what a node says to the second half of a crash.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import TxParams, TxReceipt, Wei

from ledger.amounts import show_amount
from ledger.errors import ChainRefused, Reverted, StillPending, TransactionRefused
from ledger.fees import Fees, base_fee, market_fees, read_signed
from ledger.records import Call
from ledger.reverts import chain_errors, decode_revert

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Entry(NamedTuple):
    """A transaction that was signed: the caller's key for it, its nonce, its bytes, and their hash (32 bytes). A key has one
    nonce, and may have several entries, of which the last one counts until another is mined.
    """

    key: str
    nonce: int
    raw: bytes
    tx_hash: bytes


class Mined(NamedTuple):
    """Where a successful transaction ended up."""

    tx_hash: bytes
    block: int
    gas_used: int


class Journal(Protocol):
    """What a Sender remembers across crashes. All methods are called under the Sender's lock."""

    def entries(self, key: str) -> Sequence[Entry]:
        """All entries of this key, in the order in which they were recorded."""

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""

    def since(self, nonce: int) -> Sequence[Entry]:
        """The last entry of each key with this nonce or a higher one, lowest first."""

    def record(self, entry: Entry) -> None:
        """Keep a new entry beside the key's older ones; it must be durable when this returns."""

    def mined(self, key: str, mined: Mined) -> None:
        """Note that the entry's transaction succeeded. May come again after a rollback of the chain, with another block."""


class MemoryJournal:
    """A journal for as long as the process lives: for commands that may be given again by a person."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, list[Entry]] = {}
        for entry in entries:
            self._entries.setdefault(entry.key, []).append(entry)

    def entries(self, key: str) -> Sequence[Entry]:
        """All entries of this key, in the order in which they were recorded."""
        return tuple(self._entries.get(key, ()))

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""
        return max((entries[-1].nonce for entries in self._entries.values()), default=None)

    def since(self, nonce: int) -> Sequence[Entry]:
        """The last entry of each key with this nonce or a higher one, lowest first."""
        last = (entries[-1] for entries in self._entries.values())
        return sorted((entry for entry in last if entry.nonce >= nonce), key=lambda entry: entry.nonce)

    def record(self, entry: Entry) -> None:
        """Keep a new entry beside the key's older ones."""
        self._entries.setdefault(entry.key, []).append(entry)

    def mined(self, key: str, mined: Mined) -> None:
        """Nothing to note: the chain knows."""


class Sender:
    """The one place that sends transactions from `account`; its threads take turns.

    No other program may send from the same account. `patience` is how many seconds a submit waits for its receipt.
    """

    def __init__(self, web3: Web3, account: LocalAccount, journal: Journal, patience: float = 120.0) -> None:
        self.address = account.address
        self._web3 = web3
        self._account = account
        self._journal = journal
        self._patience = patience
        self._chain_id = web3.eth.chain_id
        self._lock = threading.Lock()

    def submit(self, key: str, call: Call) -> Mined:
        """Have `call` mined exactly once for this `key`, and wait for it.

        The same key again waits for its transaction and sends nothing new, unless `call` is another one and nothing is mined:
        then that one takes its place, under the same nonce. What is not mined within `patience`, although it is the next in
        line, is sent again with a higher fee, under the same nonce too.

        Raises:
            Reverted: a contract refuses. Without `tx_hash` it was found by estimation and nothing was recorded: the key is
                free. With `tx_hash` the transaction was mined and failed, and will be found failed under this key for ever.
            TransactionRefused: the node does not take it: too little coin, or its nonce was used by somebody else.
            StillPending: not mined in time; submit the same key again.
            ChainUnavailable: nobody answers; submit the same key again.
        """
        with self._lock:
            entries = list(self._journal.entries(key))
            receipt = self._receipt(entries)
            if receipt is None:
                if not entries:
                    entries.append(self._record(self._sign(key, call)))
                elif (later := self._in_place_of(entries[-1], call)) is not None:
                    entries.append(self._record(later))
                self._send_lost(entries[-1].nonce)
                self._broadcast(entries, call.what)
                receipt = self._wait(entries, call)
            if receipt["status"] != 1:
                raise self._failure(call, receipt)
            mined = Mined(bytes(receipt["transactionHash"]), receipt["blockNumber"], receipt["gasUsed"])
            self._journal.mined(key, mined)
            return mined

    def recorded(self, key: str) -> Entry | None:
        """The transaction that was last signed for this key, if any; it may be on the chain or not."""
        with self._lock:
            entries = self._journal.entries(key)
            return entries[-1] if entries else None

    def next_nonce(self) -> int:
        """The nonce of the next new transaction: after everything that the chain or the journal knows of."""
        return max(self._counted(), self._highest() + 1)

    def _sign(self, key: str, call: Call) -> Entry:
        counted = self._counted()
        self._send_lost(None)
        return self._signed(key, max(counted, self._highest() + 1), call, None)

    def _in_place_of(self, entry: Entry, call: Call) -> Entry | None:
        """What takes the place of a transaction that is not mined: another call, or a fee that has come to be too low."""
        recorded = read_signed(entry.raw)
        if not recorded.does(call):
            return self._signed(entry.key, entry.nonce, call, recorded.fees)
        if recorded.fees.most < base_fee(self._web3):
            return self._dearer(entry, call)
        return None

    def _dearer(self, entry: Entry, call: Call) -> Entry:
        recorded, (market, _) = read_signed(entry.raw), market_fees(self._web3)
        return self._offer(entry.key, entry.nonce, call, recorded.gas, market.outbidding(recorded.fees))

    def _signed(self, key: str, nonce: int, call: Call, replaced: Fees | None) -> Entry:
        with chain_errors(call.what):
            fees, limit = market_fees(self._web3)
            self._check_coin(call.value, call.what)
            # In the block to come: what is due by the clock of the last one may not be due any more.
            estimate = self._web3.eth.estimate_gas(self._request(call), "pending")
        return self._offer(key, nonce, call, min(estimate * 5 // 4, limit), fees.outbidding(replaced) if replaced else fees)

    def _offer(self, key: str, nonce: int, call: Call, gas: int, fees: Fees) -> Entry:
        self._check_coin(call.value + gas * fees.most, call.what)
        transaction: dict[str, Any] = {
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": call.to or "",
            "value": call.value,
            "data": call.data,
            "gas": gas,
            **fees.fields(),
        }
        signed = self._account.sign_transaction(transaction)
        return Entry(key, nonce, bytes(signed.raw_transaction), bytes(signed.hash))

    def _record(self, entry: Entry) -> Entry:
        self._journal.record(entry)
        return entry

    def _send_lost(self, until: int | None) -> None:
        """A crash before a broadcast, or a rollback of the chain, leaves a gap: without those nothing later is ever mined."""
        for lost in self._journal.since(self._counted()):
            if until is None or lost.nonce < until:
                self._broadcast([lost], f"send {lost.key} again")

    def _broadcast(self, entries: Sequence[Entry], what: str) -> None:
        """Send the last one. Return if the chain has one of them, mined or not; raise `TransactionRefused` otherwise."""
        entry = entries[-1]
        try:
            self._web3.eth.send_raw_transaction(entry.raw)
        except (Web3RPCError, ContractLogicError) as error:
            # Nodes word it in many ways that they have it already. Asking them is surer than reading the wording.
            if self._receipt(entries) is not None or any(self._is_known(one) for one in entries):
                return
            reason = str(error.message)
            if self._web3.eth.get_transaction_count(self.address, "latest") > entry.nonce:
                reason = (
                    f"its nonce {entry.nonce} was used by another transaction of {self.address}, so 0x{entry.tx_hash.hex()} "
                    "can never be mined; let only one program send from this account"
                )
            raise TransactionRefused(f"{what}: {reason}") from error

    def _wait(self, entries: list[Entry], call: Call) -> TxReceipt:
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while (receipt := self._receipt(entries)) is None:
            if time.monotonic() + pause > deadline:
                self._raise_fee(entries, call)
                raise StillPending(call.what, entries[-1].tx_hash, self._patience)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return receipt

    def _raise_fee(self, entries: list[Entry], call: Call) -> None:
        """Bid more for a transaction that nothing of ours stands in the way of; as it was if that cannot be paid for."""
        entry = entries[-1]
        if self._web3.eth.get_transaction_count(self.address, "latest") != entry.nonce or not self._is_known(entry):
            return
        with suppress(TransactionRefused, ChainRefused), chain_errors(call.what):
            entries.append(self._record(self._dearer(entry, call)))
            self._broadcast(entries, call.what)

    def _failure(self, call: Call, receipt: TxReceipt) -> Reverted:
        """Why a mined transaction failed: a receipt does not say, so it is run again in its block, after the block."""
        tx_hash = bytes(receipt["transactionHash"])
        what = f"{call.what} (mined in transaction 0x{tx_hash.hex()})"
        try:
            with chain_errors(what):
                self._web3.eth.call(self._request(call), receipt["blockNumber"])
        except Reverted as error:
            return decode_revert(error.data, what, tx_hash)
        except ChainRefused:  # a node that keeps no old state, or a failure without a reason
            pass
        return decode_revert(b"", what, tx_hash)

    def _request(self, call: Call) -> TxParams:
        request: TxParams = {"from": self.address, "value": Wei(call.value), "data": call.data}
        if call.to is not None:
            request["to"] = Web3.to_checksum_address(call.to)
        return request

    def _check_coin(self, needed: int, what: str) -> None:
        balance = self._web3.eth.get_balance(self.address, "pending")
        if balance < needed:
            raise TransactionRefused(
                f"{what}: {self.address} has {show_amount(balance)} coin and may need up to "
                f"{show_amount(needed)}; fund it (on the local chain: `fairshare ledger fund {self.address}`)"
            )

    def _receipt(self, entries: Sequence[Entry]) -> TxReceipt | None:
        for entry in reversed(entries):
            try:
                return self._web3.eth.get_transaction_receipt(entry.tx_hash)  # type: ignore[arg-type] # it takes plain bytes
            except TransactionNotFound:
                continue
        return None

    def _is_known(self, entry: Entry) -> bool:
        try:
            self._web3.eth.get_transaction(entry.tx_hash)  # type: ignore[arg-type] # it takes plain bytes
        except TransactionNotFound:
            return False
        return True

    def _counted(self) -> int:
        return self._web3.eth.get_transaction_count(self.address, "pending")

    def _highest(self) -> int:
        highest = self._journal.highest_nonce()
        return -1 if highest is None else highest
