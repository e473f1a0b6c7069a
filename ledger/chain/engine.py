"""The local chain itself: blocks of one transaction each, executed by py-evm and kept in a `ChainDatabase`.

It stands on py-evm directly, not on eth-tester: what eth-tester adds (unlocked accounts with public keys, snapshots,
block filters, an RPC dialect of its own) is not wanted here, and what it does otherwise than a node (any chain id
accepted, calls need funds, linear search for receipts, no persistence) would have to be undone.

The clock: no block is mined without a transaction. A block is stamped max(parent + 1, now), and `pending()` is the
header that a transaction sent now would get; calls run in it, so contracts that decide by time answer by today's time
on a chain where nothing happens.
"""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.chains.base import MiningChain
from eth.constants import POST_MERGE_MIX_HASH, POST_MERGE_NONCE, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.exceptions import PyEVMError, TransactionNotFound
from eth.vm.forks.prague import PragueVM
from eth_account import Account
from eth_typing import BlockNumber, Hash32
from eth_utils.crypto import keccak

from ledger.chain.database import ChainDatabase
from ledger.chain.execution import Execution, Message, estimate, run
from ledger.chain.transactions import check, decode
from ledger.errors import NotAChainDatabase, WrongChain

LOCAL_CHAIN_ID = 31337
GAS_LIMIT = 30_000_000
"""Gas of a block, so of a transaction and of a call."""
FAUCET_BALANCE = 10**27
"""Wei in the faucet at genesis: a thousand million coins."""

_HEADERS_REMEMBERED, _CALLS_REMEMBERED = 16_384, 1_024


def system_clock() -> int:
    """Seconds since 1970 by this machine."""
    return int(time.time())


class Mined(NamedTuple):
    """A transaction with its place: its block's header and its receipt. Its index in the block is always 0."""

    header: BlockHeaderAPI
    transaction: SignedTransactionAPI
    receipt: ReceiptAPI


class Engine:
    """A chain in a database. Not thread-safe, as py-evm is not: whoever serves it holds a lock.

    A new database gets a genesis block that funds `alloc` (address to wei) and a faucet with a fresh random key. An
    existing one is resumed as it is.

    Raises:
        DatabaseInUse: another process serves it.
        NotAChainDatabase: the file is something else.
        WrongChain: the database belongs to another chain id.
    """

    def __init__(
        self,
        path: Path,
        chain_id: int = LOCAL_CHAIN_ID,
        alloc: Mapping[str, int] | None = None,
        clock: Callable[[], int] = system_clock,
    ):
        self.chain_id = chain_id
        self._clock = clock
        self._database = ChainDatabase(path)
        try:
            self._chain = self._open(alloc or {})
        except BaseException:  # Ctrl-C too: an open database shuts everybody else out
            self._database.close()
            raise
        # There are no reorganisations here: the header of a number never changes.
        self.header = lru_cache(_HEADERS_REMEMBERED)(self._header)
        # All who wait for a round ask the same, time and again, and py-evm takes 5 to 20 ms to answer.
        self._called = lru_cache(_CALLS_REMEMBERED)(self._run)
        self.genesis_hash = bytes(self.header(0).hash)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    # --- blocks

    @property
    def height(self) -> int:
        """The number of the last block."""
        return int(self._chain.get_canonical_head().block_number)

    def pending(self) -> BlockHeaderAPI:
        """Return the header of the block that a transaction sent now would be in, with the state before it."""
        head = self._chain.get_canonical_head()
        now = self._clock() + self.clock_offset
        return self._chain.create_header_from_parent(
            head,
            timestamp=max(head.timestamp + 1, now),
            gas_limit=head.gas_limit,
            # PREVRANDAO: anything that a replay would find again.
            mix_hash=keccak(head.hash),
        )

    def header_by_hash(self, block_hash: bytes) -> BlockHeaderAPI:
        """Return the header of a mined block.

        Raises:
            eth.exceptions.HeaderNotFound: there is no such block.
        """
        return self._chain.get_block_header_by_hash(Hash32(block_hash))

    def block(self, header: BlockHeaderAPI) -> BlockAPI:
        """Return the block of a header; the pending one has no transactions."""
        return self._chain.get_block_by_header(header)

    def mined(self, transaction_hash: bytes) -> Mined | None:
        """Return a transaction and where it is, by the index that each block writes; None when it was never mined."""
        try:
            number, index = self._chain.get_canonical_transaction_index(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        return Mined(
            self.header(number),
            self._chain.get_canonical_transaction_by_index(number, index),
            self._chain.get_transaction_receipt_by_index(number, index),
        )

    def mined_in(self, header: BlockHeaderAPI) -> Mined | None:
        """Return the one transaction of a mined block; None for genesis."""
        transactions = self.block(header).transactions
        return self.mined(transactions[0].hash) if transactions else None

    def state(self, header: BlockHeaderAPI) -> StateAPI:
        """Return the accounts as they are after the block (for the pending header: after its parent)."""
        return self._chain.get_vm(header).state

    # --- execution

    def call(self, message: Message, header: BlockHeaderAPI) -> Execution:
        """Run a message in the block of `header` and forget what it changed; see `ledger.chain.execution.run`.

        Nothing but the header decides what comes of it, the clock included: asked again, it is not run again.
        """
        return self._called(message, header)

    def estimate(self, message: Message, header: BlockHeaderAPI) -> Execution:
        """Find the least gas for a message in the block of `header`; see `ledger.chain.execution.estimate`."""
        return estimate(message, lambda: self._free(header))

    def send(self, raw: bytes) -> bytes:
        """Mine a signed transaction in a block of its own and return its hash (32 bytes).

        When this returns, the block is on disk: state, receipt, index and head in one database transaction. A
        transaction that reverts is mined as well, with status 0.

        Raises:
            TransactionRefused: it is no valid transaction of this chain, or cannot be mined now.
        """
        transaction = decode(raw)
        header = self.pending()
        check(transaction, self.chain_id, self.state(header), header)
        with self._database.transaction():
            self._chain.header = header
            self._chain.mine_all([transaction])
        return bytes(transaction.hash)

    # --- clock and faucet

    @property
    def clock_offset(self) -> int:
        """Seconds by which the chain's clock is ahead of this machine's."""
        return _integer(self._database.setting("clock_offset"))

    def increase_time(self, seconds: int) -> int:
        """Move the clock ahead for good and return the whole offset, in seconds. It never goes back."""
        offset = self.clock_offset + seconds
        with self._database.transaction():
            self._database.change_setting("clock_offset", offset)
        return offset

    @property
    def faucet_key(self) -> bytes:
        """The private key (32 bytes) of the account that holds the coin at genesis."""
        key = self._database.setting("faucet_key")
        assert isinstance(key, bytes)
        return key

    # --- inside

    def _open(self, alloc: Mapping[str, int]) -> MiningChain:
        chain_class = type(
            "LocalChain", (MiningChain,), {"chain_id": self.chain_id, "vm_configuration": ((BlockNumber(0), PragueVM),)}
        )
        found = self._database.setting("chain_id")
        if found is None:
            with self._database.transaction():
                return self._genesis(chain_class, alloc)
        if found != self.chain_id:
            raise WrongChain(str(self._database.path), expected=self.chain_id, found=_integer(found))
        try:
            chain: MiningChain = chain_class(AtomicDB(self._database))
        except (PyEVMError, KeyError) as error:
            raise NotAChainDatabase(self._database.path, f"its chain cannot be read: {error!r}") from error
        return chain

    def _genesis(self, chain_class: Any, alloc: Mapping[str, int]) -> MiningChain:
        faucet = Account.create()
        self._database.change_setting("chain_id", self.chain_id)
        self._database.change_setting("clock_offset", 0)
        self._database.change_setting("faucet_key", bytes(faucet.key))
        balances = {**alloc, faucet.address: FAUCET_BALANCE}
        chain: MiningChain = chain_class.from_genesis(
            AtomicDB(self._database),
            {
                "coinbase": ZERO_ADDRESS,
                "difficulty": 0,
                "extra_data": b"",
                "gas_limit": GAS_LIMIT,
                "mix_hash": POST_MERGE_MIX_HASH,
                "nonce": POST_MERGE_NONCE,
                "timestamp": self._clock(),
            },
            {
                bytes.fromhex(address.removeprefix("0x")): {"balance": wei, "nonce": 0, "code": b"", "storage": {}}
                for address, wei in balances.items()
            },
        )
        return chain

    def _header(self, number: int) -> BlockHeaderAPI:
        return self._chain.get_canonical_block_header_by_number(BlockNumber(number))

    def _run(self, message: Message, header: BlockHeaderAPI) -> Execution:
        return run(message, self._free(header))

    def _free(self, header: BlockHeaderAPI) -> StateAPI:
        return self.state(header.copy(base_fee_per_gas=0))


def _integer(setting: int | bytes | None) -> int:
    assert isinstance(setting, int)
    return setting
