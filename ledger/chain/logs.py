"""Finding events: the Bloom filter of each block's header says which blocks need not be opened (Yellow Paper, 4.3.1)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from eth.abc import BlockHeaderAPI, LogAPI
from eth_bloom.bloom import BloomFilter

from ledger.chain.engine import Engine, Mined


class LogQuery(NamedTuple):
    """Which logs are wanted; an empty set means any.

    Attributes:
        addresses: emitting contracts, 20 bytes each.
        topics: by position, sets of 32-byte words.
    """

    addresses: frozenset[bytes]
    topics: tuple[frozenset[bytes], ...]


class Found(NamedTuple):
    """A log, its position in its block, and the transaction that emitted it."""

    mined: Mined
    position: int
    log: LogAPI


def find(engine: Engine, query: LogQuery, headers: Iterable[BlockHeaderAPI]) -> Iterator[Found]:
    """Yield the matching logs of the given blocks, in the order of blocks and logs."""
    wanted = [
        [int(BloomFilter.from_iterable([value])) for value in values] for values in (query.addresses, *query.topics) if values
    ]
    for header in headers:
        if not all(any(header.bloom & bits == bits for bits in any_of) for any_of in wanted):
            continue
        mined = engine.mined_in(header)
        if mined is None:
            continue
        for position, log in enumerate(mined.receipt.logs):
            if _matches(log, query):
                yield Found(mined, position, log)


def _matches(log: LogAPI, query: LogQuery) -> bool:
    if query.addresses and log.address not in query.addresses:
        return False
    if len(log.topics) < len(query.topics):
        return False
    return all(not any_of or topic.to_bytes(32, "big") in any_of for topic, any_of in zip(log.topics, query.topics, strict=False))
