"""Logs of some contracts, asked for in ranges of blocks that the node bears.

Every node has limits of its own for one question, in blocks, logs, bytes or time, and words of its own to say so. So whatever
the words, a refused range is halved, until it is taken or one block is refused; then it grows again, slowly.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from eth_typing import HexStr
from web3 import Web3
from web3.types import FilterParams

from ledger.errors import ChainRefused
from ledger.events import Log
from ledger.records import BlockRef
from ledger.reverts import chain_errors

WIDEST = 1000
"""So many blocks are asked for at a time at most: what public nodes commonly take."""


class Found(NamedTuple):
    """The logs of blocks `first` to `last`, both included, in the order of the chain."""

    first: int
    last: int
    logs: tuple[Log, ...]


class LogReader:
    """Reads the logs of the contracts at `addresses`. `span` is how many blocks are asked for at a time, which it learns.

    Every method raises `ChainUnavailable`, and `ChainRefused` if the node refuses even one block.
    """

    def __init__(self, web3: Web3, addresses: Sequence[str]) -> None:
        self.span = WIDEST
        self._web3 = web3
        self._addresses = [Web3.to_checksum_address(address) for address in addresses]

    def forwards(self, first: int, last: int) -> Found:
        """The logs from block `first` on, through as many blocks as can be asked for at once, at most to `last`."""
        return self._ask(lambda span: (first, min(last, first + span - 1)), ())

    def backwards(self, last: int, topics: Sequence[bytes]) -> Iterator[Log]:
        """The logs that have these topics, from block `last` back to the first, read as far as they are taken from this."""
        while last >= 0:
            found = self._ask(lambda span, last=last: (max(0, last - span + 1), last), topics)  # type: ignore[misc] # mypy#15459
            yield from reversed(found.logs)
            last = found.first - 1

    def _ask(self, range_of: Callable[[int], tuple[int, int]], topics: Sequence[bytes]) -> Found:
        while True:
            first, last = range_of(self.span)
            asked = last - first + 1
            try:
                logs = self._logs(first, last, topics)
            except ChainRefused:
                if asked <= 1:
                    raise
                self.span = asked // 2
                continue
            if asked == self.span:
                self.span = min(self.span + self.span // 8 + 1, WIDEST)
            return Found(first, last, logs)

    def _logs(self, first: int, last: int, topics: Sequence[bytes]) -> tuple[Log, ...]:
        query: FilterParams = {
            "fromBlock": first,
            "toBlock": last,
            "address": self._addresses,
            "topics": [HexStr("0x" + topic.hex()) for topic in topics],
        }
        with chain_errors(f"read the logs of blocks {first} to {last}"):
            return tuple(_log(found) for found in self._web3.eth.get_logs(query))


def _log(found: Any) -> Log:
    return Log(
        block=BlockRef(int(found["blockNumber"]), bytes(found["blockHash"])),
        position=int(found["logIndex"]),
        tx_hash=bytes(found["transactionHash"]),
        address=str(found["address"]),
        topics=tuple(bytes(topic) for topic in found["topics"]),
        data=bytes(found["data"]),
    )
