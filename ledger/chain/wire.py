"""What crosses the wire of the local chain: Ethereum's JSON-RPC values and objects.

Source: the execution APIs (github.com/ethereum/execution-apis). Quantities are hex without leading zeros, data is hex
of a whole number of bytes and of fixed width where the type has one; clients such as alloy refuse anything else.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator
from pydantic.alias_generators import to_camel

TAGS = ("latest", "pending", "safe", "finalized", "earliest")


def _quantity(value: object) -> int:
    if isinstance(value, str) and value.startswith("0x"):
        value = int(value, 16)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a quantity: a hex number with 0x")
    return value


def _data(value: object) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        value = bytes.fromhex(value[2:])
    if not isinstance(value, bytes):
        raise ValueError("not data: hex bytes with 0x")
    return value


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


Quantity = Annotated[int, BeforeValidator(_quantity), PlainSerializer(hex)]
Data = Annotated[bytes, BeforeValidator(_data), PlainSerializer(_hex)]
Nonce = Annotated[Data, Field(min_length=8, max_length=8)]
Address = Annotated[Data, Field(min_length=20, max_length=20)]
Word = Annotated[Data, Field(min_length=32, max_length=32)]
Bloom = Annotated[Data, Field(min_length=256, max_length=256)]


def _block_id(value: object) -> int | bytes | str:
    """Read a number, a hash or a tag; also as an object (EIP-1898). Absent means latest."""
    if isinstance(value, dict):
        value = value.get("blockHash", value.get("blockNumber"))
    if value is None:
        return "latest"
    if value in TAGS:
        return str(value)
    if isinstance(value, str) and len(value) == 66:
        return _data(value)
    return _quantity(value)


BlockId = Annotated[int | bytes | str, PlainValidator(_block_id)]


class _Object(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True, frozen=True
    )


# --- what clients send


class Call(_Object):
    """A transaction object of eth_call and eth_estimateGas; fields about fees and nonces are ignored."""

    sender: Address = Field(default=bytes(20), validation_alias="from")
    to: Address | None = None
    value: Quantity | None = None
    gas: Quantity | None = None
    input: Data | None = None
    data: Data | None = None


class LogFilter(_Object):
    """The filter of eth_getLogs. Topics go by position; null matches any, a list any of its members."""

    from_block: BlockId = "latest"
    to_block: BlockId = "latest"
    block_hash: Word | None = None
    address: Address | list[Address] | None = None
    topics: list[Word | list[Word] | None] = Field(default=[], max_length=4)


# --- what they get


class Log(_Object):
    """One event of a mined transaction."""

    address: Address
    topics: list[Word]
    data: Data
    block_number: Quantity
    block_hash: Word
    block_timestamp: Quantity
    transaction_hash: Word
    transaction_index: Quantity
    log_index: Quantity
    removed: bool = False


class Receipt(_Object):
    """How a mined transaction went; status 1 is success."""

    transaction_hash: Word
    transaction_index: Quantity
    block_hash: Word
    block_number: Quantity
    sender: Address = Field(serialization_alias="from")
    to: Address | None
    contract_address: Address | None
    cumulative_gas_used: Quantity
    gas_used: Quantity
    effective_gas_price: Quantity
    logs: list[Log]
    logs_bloom: Bloom
    type: Quantity
    status: Quantity


class AccessListEntry(_Object):
    """An account and slots that a transaction names beforehand (EIP-2930)."""

    address: Address
    storage_keys: list[Word]


def _absent(value: Any) -> bool:
    return value is None


class Transaction(_Object):
    """A mined transaction. Fields that its type does not have are left out, not null."""

    hash: Word
    type: Quantity
    nonce: Quantity
    block_hash: Word
    block_number: Quantity
    transaction_index: Quantity
    sender: Address = Field(serialization_alias="from")
    to: Address | None
    value: Quantity
    gas: Quantity
    gas_price: Quantity
    max_fee_per_gas: Quantity | None = Field(exclude_if=_absent)
    max_priority_fee_per_gas: Quantity | None = Field(exclude_if=_absent)
    access_list: list[AccessListEntry] | None = Field(exclude_if=_absent)
    input: Data
    chain_id: Quantity
    v: Quantity
    y_parity: Quantity | None = Field(exclude_if=_absent)
    r: Quantity
    s: Quantity


class _BlockHeader(_Object):
    number: Quantity
    hash: Word | None
    parent_hash: Word
    nonce: Nonce
    sha3_uncles: Word
    logs_bloom: Bloom
    transactions_root: Word
    state_root: Word
    receipts_root: Word
    miner: Address
    difficulty: Quantity
    extra_data: Data
    size: Quantity
    gas_limit: Quantity
    gas_used: Quantity
    timestamp: Quantity
    mix_hash: Word
    base_fee_per_gas: Quantity
    withdrawals_root: Word
    blob_gas_used: Quantity
    excess_blob_gas: Quantity
    parent_beacon_block_root: Word
    requests_hash: Word
    uncles: list[Word] = []
    withdrawals: list[Word] = []


class Block(_BlockHeader):
    """A block that names its transactions by hash. The pending block has no hash."""

    transactions: list[Word]


class FullBlock(_BlockHeader):
    """A block with its transactions in full."""

    transactions: list[Transaction]


class FeeHistory(_Object):
    """Fees of past blocks, oldest first; `base_fee_per_gas` has one more, for the block after the newest."""

    oldest_block: Quantity
    base_fee_per_gas: list[Quantity]
    gas_used_ratio: list[float]
    reward: list[list[Quantity]] | None = Field(exclude_if=_absent)
