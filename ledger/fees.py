"""What a transaction offers for its gas: EIP-1559 where blocks have a base fee, one price where they have none.

Also read back from signed bytes: what a transaction of the journal offered, and whether it is still the call that is due.
"""

from typing import NamedTuple, Self

import rlp
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from web3 import Web3

from ledger.records import Call


class Fees(NamedTuple):
    """The most that a unit of gas may cost, in wei, and the tip within it; without a tip it is one price (before EIP-1559)."""

    most: int
    tip: int | None

    def outbidding(self, other: Self) -> "Fees":
        """These fees, but enough above the other's for nodes to put the one transaction in the other's place.

        Nodes ask for 10 % more of both (go-ethereum's txpool.pricebump); an eighth is the usual offer.

        >>> Fees(100, 10).outbidding(Fees(100, 10))
        Fees(most=113, tip=12)
        """
        tip = None if self.tip is None else max(self.tip, _more(other.tip or 0))
        return Fees(max(self.most, _more(other.most), tip or 0), tip)

    def fields(self) -> dict[str, int]:
        """As fields of an unsigned transaction."""
        if self.tip is None:
            return {"gasPrice": self.most}
        return {"type": 2, "maxFeePerGas": self.most, "maxPriorityFeePerGas": self.tip}


def market_fees(web3: Web3) -> tuple[Fees, int]:
    """What the next blocks will take, with room for the base fee to double; and the gas limit of a block."""
    latest = web3.eth.get_block("latest")
    limit, base = latest["gasLimit"], latest.get("baseFeePerGas")
    if base is None:
        return Fees(web3.eth.gas_price, None), limit
    tip = web3.eth.max_priority_fee
    return Fees(2 * base + tip, tip), limit


def base_fee(web3: Web3) -> int:
    """What a unit of gas costs at least in the latest block, in wei; 0 where blocks have no base fee."""
    return web3.eth.get_block("latest").get("baseFeePerGas", 0)


class Signed(NamedTuple):
    """What a signed transaction says: what it does, and what it offers. `to` is empty where it creates a contract."""

    to: bytes
    value: int
    data: bytes
    gas: int
    fees: Fees

    def does(self, call: Call) -> bool:
        """Whether it does what `call` does."""
        return (self.to, self.value, self.data) == (bytes.fromhex((call.to or "0x")[2:]), call.value, call.data)


def read_signed(raw: bytes) -> Signed:
    """Read the bytes of a signed transaction of ours (EIP-2718)."""
    if raw[0] >= 0xC0:  # an RLP list: the form without a type byte
        _, price, gas, to, value, data, *_ = rlp.decode(raw)
        return Signed(to, int.from_bytes(value), data, int.from_bytes(gas), Fees(int.from_bytes(price), None))
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    fees = Fees(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"])
    return Signed(bytes(fields["to"]), fields["value"], bytes(fields["data"]), fields["gas"], fees)


def _more(wei: int) -> int:
    return -(-wei * 9 // 8)
