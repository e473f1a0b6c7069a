"""Random numbers that everybody can draw again: SHA-256 in counter mode over the round's seed.

Library generators may change their streams between versions; a hash does not.
"""

import hashlib
from collections.abc import Iterator


def words(seed: bytes, purpose: str) -> Iterator[int]:
    """Endless uniform 64-bit integers: the big-endian words of SHA-256(seed ‖ purpose ‖ counter), counter from 0 as 8 bytes."""
    counter = 0
    while True:
        block = hashlib.sha256(seed + purpose.encode() + counter.to_bytes(8)).digest()
        yield from (int.from_bytes(block[at : at + 8]) for at in range(0, 32, 8))
        counter += 1


def permutation(stream: Iterator[int], size: int) -> tuple[int, ...]:
    """A uniform permutation of 0 … size − 1 (Fisher and Yates, with Durstenfeld's swaps), unbiased by rejection."""
    items = list(range(size))
    for last in range(size - 1, 0, -1):
        chosen = _below(stream, last + 1)
        items[last], items[chosen] = items[chosen], items[last]
    return tuple(items)


def _below(stream: Iterator[int], bound: int) -> int:
    limit = (1 << 64) - (1 << 64) % bound
    return next(word for word in stream if word < limit) % bound
