"""One queue of transactions per key: whatever crashes, each is signed once, sent at most once, and found again.

The signed transaction, with its own nonce, goes into the journal *before* it goes to the chain. From then on submitting
the same key again can only send those same bytes, which the chain takes once; so a crash at any point is healed by
submitting again. The receipt decides what happened, never the answer to a broadcast: "already known" and "nonce too low"
are what a node says to the second half of a crash.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import TxParams, TxReceipt, Wei

from ledger.amounts import show_amount
from ledger.errors import ChainRefused, Reverted, StillPending, TransactionRefused
from ledger.records import Call
from ledger.reverts import chain_errors, decode_revert

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Entry(NamedTuple):
    """A transaction that was signed: the caller's key for it, its nonce, its bytes, and their hash (32 bytes)."""

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

    def find(self, key: str) -> Entry | None:
        """The entry of this key."""

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""

    def since(self, nonce: int) -> Sequence[Entry]:
        """The entries with this nonce or a higher one, lowest first."""

    def record(self, entry: Entry) -> None:
        """Keep a new entry; it must be durable when this returns."""

    def mined(self, key: str, mined: Mined) -> None:
        """Note that the entry's transaction succeeded. May come again after a rollback of the chain, with another block."""


class MemoryJournal:
    """A journal for as long as the process lives: for commands that may be given again by a person."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def find(self, key: str) -> Entry | None:
        """The entry of this key."""
        return self._entries.get(key)

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""
        return max((entry.nonce for entry in self._entries.values()), default=None)

    def since(self, nonce: int) -> Sequence[Entry]:
        """The entries with this nonce or a higher one, lowest first."""
        return sorted((e for e in self._entries.values() if e.nonce >= nonce), key=lambda entry: entry.nonce)

    def record(self, entry: Entry) -> None:
        """Keep a new entry."""
        self._entries[entry.key] = entry

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

        The same key again sends nothing new, whatever the call: it waits for the first one's transaction.

        Raises:
            Reverted: a contract refuses. Without `tx_hash` it was found by estimation and nothing was recorded: the key is
                free. With `tx_hash` the transaction was mined and failed, and will be found failed under this key for ever.
            TransactionRefused: the node does not take it: too little coin, or its nonce was used by somebody else.
            StillPending: not mined in time; submit the same key again.
            ChainUnavailable: nobody answers; submit the same key again.
        """
        with self._lock:
            entry = self._journal.find(key)
            receipt = self._receipt(entry) if entry else None
            if entry is None:
                entry = self._sign(key, call)
                self._journal.record(entry)
            if receipt is None:
                self._broadcast(entry, call.what)
                receipt = self._wait(entry, call.what)
            if receipt["status"] != 1:
                raise self._failure(entry, call, receipt)
            mined = Mined(entry.tx_hash, receipt["blockNumber"], receipt["gasUsed"])
            self._journal.mined(key, mined)
            return mined

    def recorded(self, key: str) -> Entry | None:
        """The transaction that was signed for this key, if any; it may be on the chain or not."""
        with self._lock:
            return self._journal.find(key)

    def next_nonce(self) -> int:
        """The nonce of the next new transaction: after everything that the chain or the journal knows of."""
        return max(self._counted(), self._highest() + 1)

    def _sign(self, key: str, call: Call) -> Entry:
        counted = self._counted()
        # A crash before a broadcast, or a rollback of the chain, leaves a gap: without those nothing new is ever mined.
        for lost in self._journal.since(counted):
            self._broadcast(lost, f"send {lost.key} again")
        with chain_errors(call.what):
            latest = self._web3.eth.get_block("latest")
            tip = self._web3.eth.max_priority_fee
            balance = self._web3.eth.get_balance(self.address, "pending")
            self._check_coin(balance, call.value, call.what)
            # In the block to come: what is due by the clock of the last one may not be due any more.
            estimate = self._web3.eth.estimate_gas(self._request(call), "pending")
        gas = min(estimate * 5 // 4, latest["gasLimit"])
        fee = 2 * latest["baseFeePerGas"] + tip
        self._check_coin(balance, call.value + gas * fee, call.what)
        nonce = max(counted, self._highest() + 1)
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": call.to or "",
            "value": call.value,
            "data": call.data,
            "gas": gas,
            "maxFeePerGas": fee,
            "maxPriorityFeePerGas": tip,
        }
        signed = self._account.sign_transaction(transaction)
        return Entry(key, nonce, bytes(signed.raw_transaction), bytes(signed.hash))

    def _broadcast(self, entry: Entry, what: str) -> None:
        """Return if the chain has the transaction, mined or not; raise `TransactionRefused` otherwise."""
        try:
            self._web3.eth.send_raw_transaction(entry.raw)
        except (Web3RPCError, ContractLogicError) as error:
            # Nodes word it in many ways that they have it already. Asking them is surer than reading the wording.
            if self._receipt(entry) is not None or self._is_known(entry):
                return
            reason = str(error.message)
            if self._web3.eth.get_transaction_count(self.address, "latest") > entry.nonce:
                reason = (
                    f"its nonce {entry.nonce} was used by another transaction of {self.address}, so 0x{entry.tx_hash.hex()} "
                    "can never be mined; let only one program send from this account"
                )
            raise TransactionRefused(f"{what}: {reason}") from error

    def _wait(self, entry: Entry, what: str) -> TxReceipt:
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while (receipt := self._receipt(entry)) is None:
            if time.monotonic() + pause > deadline:
                raise StillPending(what, entry.tx_hash, self._patience)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return receipt

    def _failure(self, entry: Entry, call: Call, receipt: TxReceipt) -> Reverted:
        """Why a mined transaction failed: a receipt does not say, so it is run again in its block, after the block."""
        what = f"{call.what} (mined in transaction 0x{entry.tx_hash.hex()})"
        try:
            with chain_errors(what):
                self._web3.eth.call(self._request(call), receipt["blockNumber"])
        except Reverted as error:
            return decode_revert(error.data, what, entry.tx_hash)
        except ChainRefused:  # a node that keeps no old state, or a failure without a reason
            pass
        return decode_revert(b"", what, entry.tx_hash)

    def _request(self, call: Call) -> TxParams:
        request: TxParams = {"from": self.address, "value": Wei(call.value), "data": call.data}
        if call.to is not None:
            request["to"] = Web3.to_checksum_address(call.to)
        return request

    def _check_coin(self, balance: int, needed: int, what: str) -> None:
        if balance < needed:
            raise TransactionRefused(
                f"{what}: {self.address} has {show_amount(balance)} coin and may need up to "
                f"{show_amount(needed)}; fund it (on the local chain: `fairshare ledger fund {self.address}`)"
            )

    def _receipt(self, entry: Entry) -> TxReceipt | None:
        try:
            return self._web3.eth.get_transaction_receipt(entry.tx_hash)  # type: ignore[arg-type] # it takes plain bytes
        except TransactionNotFound:
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
