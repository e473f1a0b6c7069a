"""All inner products between updates in one pass over blocks of parameters; every cheap check is algebra on this one matrix."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import ssyrk

from protocol.parameters import Parameters

# Columns held at a time: of n updates 4·n·BLOCK bytes, whatever the size of the model, and few enough for the cache.
BLOCK = 1 << 13

# Rows whose largest element is beyond 2^±40 are scaled before they are multiplied, so that no product leaves float32.
_EXTREME = 40


class Gram(NamedTuple):
    """`cosines` between all rows, shape (n, n), zero for a row of zeros; `norms` of the rows, shape (n,), both float64."""

    cosines: NDArray[np.float64]
    norms: NDArray[np.float64]


def blocks(rows: Sequence[Parameters], width: int = BLOCK) -> Iterator[NDArray[np.float32]]:
    """The updates as one matrix, a block of columns at a time: shape (len(rows), at most `width`), in the model's order."""
    for name in rows[0] if rows else ():
        flat = [row[name].ravel() for row in rows]
        for at in range(0, flat[0].size, width):
            yield np.stack([own[at : at + width] for own in flat])


def gram_of(rows: Sequence[Parameters]) -> Gram:
    """Products in float32 within a block, sums over blocks in float64; no finite update overflows."""
    exponents = exponents_of(rows)
    products = np.zeros((len(rows), len(rows)))
    for block in scaled_blocks(rows, exponents):
        products += ssyrk(1.0, block.T, trans=True)  # the upper triangle only: half of a general product's work
    products += np.triu(products, 1).T
    norms = np.sqrt(np.diag(products))
    safe = np.where(norms > 0, norms, 1)
    return Gram(products / safe[:, None] / safe[None, :], np.ldexp(norms, exponents))


def exponents_of(rows: Sequence[Parameters]) -> NDArray[np.int64]:
    """The power of two that each row is divided by before it is multiplied; 0 for all but extreme rows."""
    largest = np.zeros(len(rows))
    for row, update in enumerate(rows):
        largest[row] = max((max(array.max(), -array.min()) for array in update.values() if array.size), default=0)
    found = np.frexp(largest)[1].astype(np.int64)
    return np.where((largest > 0) & (np.abs(found) > _EXTREME), np.clip(found, -100, 128), 0)


def scaled_blocks(rows: Sequence[Parameters], exponents: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """As `blocks`, each row divided by its power of two."""
    if not exponents.any():
        yield from blocks(rows)
        return
    for block in blocks(rows):
        yield np.ldexp(block, -exponents[:, None])
