"""The methods of the local chain's JSON-RPC, by name.

A method is a function whose types are those of `ledger.chain.wire`: pydantic reads its parameters and writes its result.
What is not here (filters, subscriptions, proofs, tracing, unlocked accounts) is answered with -32601.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, get_type_hints

from eth.abc import BlockHeaderAPI, StateAPI
from eth.exceptions import HeaderNotFound
from eth_typing import Address
from pydantic import TypeAdapter, ValidationError, validate_call

from ledger.chain import wire
from ledger.chain.engine import Engine
from ledger.chain.execution import Execution, Message
from ledger.chain.logs import LogQuery, find
from ledger.chain.transactions import base_fee_of, price_paid
from ledger.chain.translation import block_of, full_block_of, log_of, receipt_of, transaction_of
from ledger.errors import TransactionRefused

CLIENT_VERSION = "fairshare-local/1"
"""How the local chain calls itself (web3_clientVersion)."""

MAX_BLOCKS = 10_000
"""Blocks one eth_getLogs may search, or one eth_feeHistory describe."""
MAX_LOGS = 10_000
"""Logs one eth_getLogs returns."""

_TIP = 10**9
_UNKNOWN_METHOD, _INVALID_PARAMS, _REFUSED, _LIMIT, _REVERTED = -32601, -32602, -32000, -32005, 3


class RpcError(Exception):
    """An error as the client gets it; `data` is the revert data of a revert (code 3), as geth gives it."""

    def __init__(self, code: int, message: str, data: str | None = None):
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


class _Method(NamedTuple):
    call: Callable[..., Any]
    result: TypeAdapter[Any]


class Methods:
    """The method table over an engine; as little thread-safe as that."""

    def __init__(self, engine: Engine):
        self._engine = engine
        methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": self.client_version,
            "net_version": self.net_version,
            "net_listening": self.listening,
            "eth_chainId": self.chain_id,
            "eth_syncing": self.syncing,
            "eth_accounts": self.accounts,
            "eth_blockNumber": self.block_number,
            "eth_gasPrice": self.gas_price,
            "eth_maxPriorityFeePerGas": self.max_priority_fee,
            "eth_feeHistory": self.fee_history,
            "eth_getBalance": self.balance,
            "eth_getTransactionCount": self.nonce,
            "eth_getCode": self.code,
            "eth_getStorageAt": self.storage,
            "eth_getBlockByNumber": self.block,
            "eth_getBlockByHash": self.block,
            "eth_getBlockReceipts": self.block_receipts,
            "eth_getTransactionByHash": self.transaction,
            "eth_getTransactionReceipt": self.receipt,
            "eth_getLogs": self.logs,
            "eth_call": self.call,
            "eth_estimateGas": self.estimate_gas,
            "eth_sendRawTransaction": self.send_raw_transaction,
            "evm_increaseTime": self.increase_time,
        }
        self._table = {
            name: _Method(validate_call(method), TypeAdapter(get_type_hints(method, include_extras=True)["return"]))
            for name, method in methods.items()
        }

    def answer(self, name: str, params: list[Any]) -> Any:
        """Run a method on parameters as they came and return a JSON value.

        Raises:
            RpcError: whatever keeps it from a result.
        """
        method = self._table.get(name)
        if method is None:
            raise RpcError(_UNKNOWN_METHOD, f"the method {name} does not exist on the local chain")
        try:
            result = method.call(*params)
        except ValidationError as error:
            raise RpcError(_INVALID_PARAMS, f"invalid parameters of {name}: {_first(error)}") from error
        except HeaderNotFound as error:
            raise RpcError(_REFUSED, "block not found: the chain has no such block") from error
        except TransactionRefused as error:
            raise RpcError(_REFUSED, error.reason) from error
        return method.result.dump_python(result, mode="json")

    # --- the chain as a whole

    def client_version(self) -> str:
        """Name the program."""
        return CLIENT_VERSION

    def net_version(self) -> str:
        """Give the chain id in decimal."""
        return str(self._engine.chain_id)

    def listening(self) -> bool:
        """Yes."""
        return True

    def chain_id(self) -> wire.Quantity:
        """Give the chain id."""
        return self._engine.chain_id

    def syncing(self) -> bool:
        """No."""
        return False

    def accounts(self) -> list[wire.Address]:
        """None: keys stay with their owners."""
        return []

    def block_number(self) -> wire.Quantity:
        """Give the number of the last block."""
        return self._engine.height

    def increase_time(self, seconds: wire.Quantity) -> wire.Quantity:
        """Move the chain's clock ahead for good, also over restarts; gives the whole offset in seconds."""
        return self._engine.increase_time(seconds)

    # --- fees

    def gas_price(self) -> wire.Quantity:
        """Give a price that the next block takes."""
        return base_fee_of(self._engine.pending()) + _TIP

    def max_priority_fee(self) -> wire.Quantity:
        """Give the customary tip; none is needed."""
        return _TIP

    def fee_history(self, count: wire.Quantity, newest: wire.BlockId, percentiles: list[float] | None = None) -> wire.FeeHistory:
        """Give base fees, fullness and (as blocks have one transaction) for every percentile that one's tip."""
        last = min(self._number(newest), self._engine.height)
        first = max(0, last + 1 - min(count, MAX_BLOCKS))
        headers = [self._engine.header(number) for number in range(first, last + 1)]
        following = self._engine.pending() if last == self._engine.height else self._engine.header(last + 1)
        return wire.FeeHistory(
            oldest_block=first,
            base_fee_per_gas=[base_fee_of(header) for header in (*headers, following)],
            gas_used_ratio=[header.gas_used / header.gas_limit for header in headers],
            reward=[[self._tip_in(header)] * len(percentiles) for header in headers] if percentiles else None,
        )

    def _tip_in(self, header: BlockHeaderAPI) -> int:
        mined = self._engine.mined_in(header)
        return price_paid(mined.transaction, header) - base_fee_of(header) if mined else 0

    # --- accounts

    def balance(self, address: wire.Address, block: wire.BlockId = "latest") -> wire.Quantity:
        """Give an account's coin in wei."""
        return self._state(block).get_balance(Address(address))

    def nonce(self, address: wire.Address, block: wire.BlockId = "latest") -> wire.Quantity:
        """Give the nonce of an account's next transaction; the same for latest and pending."""
        return self._state(block).get_nonce(Address(address))

    def code(self, address: wire.Address, block: wire.BlockId = "latest") -> wire.Data:
        """Give a contract's code; empty for any other account."""
        return self._state(block).get_code(Address(address))

    def storage(self, address: wire.Address, slot: wire.Quantity, block: wire.BlockId = "latest") -> wire.Word:
        """Give one storage slot of a contract."""
        return self._state(block).get_storage(Address(address), slot).to_bytes(32, "big")

    # --- blocks, transactions, logs

    def block(self, block: wire.BlockId, full: bool = False) -> wire.FullBlock | wire.Block | None:
        """Give a block, or null; the pending one is what a transaction sent now would find, its time included."""
        try:
            header = self._header(block)
        except HeaderNotFound:
            return None
        pending = block == "pending"
        found = self._engine.block(header)
        if full:
            return full_block_of(found, pending, None if pending else self._engine.mined_in(header))
        return block_of(found, pending)

    def block_receipts(self, block: wire.BlockId) -> list[wire.Receipt] | None:
        """Give the receipts of a block, or null."""
        try:
            mined = self._engine.mined_in(self._header(block))
        except HeaderNotFound:
            return None
        return [receipt_of(mined)] if mined else []

    def transaction(self, transaction_hash: wire.Word) -> wire.Transaction | None:
        """Give a mined transaction, or null."""
        mined = self._engine.mined(transaction_hash)
        return transaction_of(mined) if mined else None

    def receipt(self, transaction_hash: wire.Word) -> wire.Receipt | None:
        """Give the receipt of a mined transaction, or null."""
        mined = self._engine.mined(transaction_hash)
        return receipt_of(mined) if mined else None

    def logs(self, wanted: wire.LogFilter) -> list[wire.Log]:
        """Give the events that match, at most `MAX_LOGS` of at most `MAX_BLOCKS` blocks."""
        if wanted.block_hash is not None:
            first = last = self._number(wanted.block_hash)
        else:
            first = self._number(wanted.from_block)
            last = min(self._number(wanted.to_block), self._engine.height)
        if last - first >= MAX_BLOCKS:
            raise RpcError(_LIMIT, f"{last - first + 1} blocks are too many; ask for at most {MAX_BLOCKS} at a time")
        query = LogQuery(_any_of(wanted.address), tuple(_any_of(topic) for topic in wanted.topics))
        logs: list[wire.Log] = []
        for found in find(self._engine, query, map(self._engine.header, range(first, last + 1))):
            if len(logs) == MAX_LOGS:
                raise RpcError(_LIMIT, f"more than {MAX_LOGS} logs; ask for fewer blocks at a time")
            logs.append(log_of(found))
        return logs

    # --- execution

    def call(self, call: wire.Call, block: wire.BlockId = "latest") -> wire.Data:
        """Run a call and give what it returns; on the latest state it runs in the pending block."""
        return _succeeded(self._engine.call(_message(call), self._scene(block))).output

    def estimate_gas(self, call: wire.Call, block: wire.BlockId = "latest") -> wire.Quantity:
        """Give the least gas with which a transaction succeeds."""
        return _succeeded(self._engine.estimate(_message(call), self._scene(block))).gas_used

    def send_raw_transaction(self, raw: wire.Data) -> wire.Word:
        """Mine a signed transaction; when the hash comes back, its block is on disk."""
        return self._engine.send(raw)

    # --- inside

    def _header(self, block: int | bytes | str) -> BlockHeaderAPI:
        if isinstance(block, bytes):
            return self._engine.header_by_hash(block)
        if block == "pending":
            return self._engine.pending()
        return self._engine.header(self._number(block))

    def _number(self, block: int | bytes | str) -> int:
        """Return the number that a tag means (pending: the one to come), or that of the block with a hash."""
        if isinstance(block, bytes):
            return int(self._engine.header_by_hash(block).block_number)
        if isinstance(block, int):
            return block
        return {"earliest": 0, "pending": self._engine.height + 1}.get(block, self._engine.height)

    def _state(self, block: int | bytes | str) -> StateAPI:
        return self._engine.state(self._header(block))

    def _scene(self, block: int | bytes | str) -> BlockHeaderAPI:
        """Return the block that a call runs in: today's question needs today's clock, one about the past has its own."""
        return self._engine.pending() if block == "latest" else self._header(block)


def _message(call: wire.Call) -> Message:
    data = call.input if call.input is not None else call.data
    return Message(call.sender, call.to or b"", call.value or 0, data or b"", call.gas)


def _succeeded(execution: Execution) -> Execution:
    if execution.failure is None:
        return execution
    if execution.reverted:
        raise RpcError(_REVERTED, execution.failure, "0x" + execution.output.hex())
    raise RpcError(_REFUSED, execution.failure)


def _any_of(values: bytes | list[bytes] | None) -> frozenset[bytes]:
    if values is None:
        return frozenset()
    return frozenset([values] if isinstance(values, bytes) else values)


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{problem['msg']} (at {place})"
