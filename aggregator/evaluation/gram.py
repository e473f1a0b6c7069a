"""All inner products between updates in one pass over blocks of parameters; every cheap check is algebra on this one matrix."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import ssyrk

from protocol.parameters import Parameters

# Values held at a time, whatever the number of updates and the size of the model: 4 MiB, which stay in the processor's caches.
_HELD = 1 << 20
_NARROWEST = 64

# Rows whose largest element is beyond 2^±40 are scaled before they are multiplied, so that no product leaves float32.
_EXTREME = 40
# No row has such an element, nor loses more than rounding to the smallest numbers, if all squared norms are between these.
_USUAL = (2.0**-60, 2.0**80)


class Gram(NamedTuple):
    """`cosines` between all rows, shape (n, n), zero for a row of zeros; `norms` of the rows, shape (n,), both float64;
    `exponents`, shape (n,): the power of two that each row was divided by, 0 for all but extreme rows.
    """

    cosines: NDArray[np.float64]
    norms: NDArray[np.float64]
    exponents: NDArray[np.int64]


def block_width(count: int) -> int:
    """Columns that `blocks` holds at a time of so many rows."""
    return max(_NARROWEST, _HELD // max(count, 1))


def blocks(rows: Sequence[Parameters], width: int | None = None) -> Iterator[NDArray[np.float32]]:
    """The updates as one matrix, a block of columns at a time: shape (len(rows), at most `width`), in the model's order.

    Every block lies where the one before lay: it can be written into, and whoever keeps it copies it.
    """
    width = width or block_width(len(rows))
    held = np.empty(len(rows) * width, np.float32)
    for name in rows[0] if rows else ():
        flat = [row[name].ravel() for row in rows]
        for at in range(0, flat[0].size, width):
            parts = [own[at : at + width] for own in flat]
            yield np.concatenate(parts, out=held[: len(rows) * len(parts[0])]).reshape(len(rows), -1)


def gram_of(rows: Sequence[Parameters]) -> Gram:
    """Products in float32 within a block, sums over blocks in float64; no finite update overflows."""
    exponents = np.zeros(len(rows), np.int64)
    products = _products(rows, exponents)
    squares = np.diag(products)
    if not ((squares > _USUAL[0]) & (squares < _USUAL[1])).all():  # looked for afterwards, because it costs a pass
        exponents = _exponents_of(rows)
        if exponents.any():
            products = _products(rows, exponents)
    norms = np.sqrt(np.diag(products))
    safe = np.where(norms > 0, norms, 1)
    return Gram(products / safe[:, None] / safe[None, :], np.ldexp(norms, exponents), exponents)


def scaled_blocks(rows: Sequence[Parameters], exponents: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """As `blocks`, each row divided by its power of two."""
    extreme = np.flatnonzero(exponents)
    for block in blocks(rows):
        for row in extreme:
            np.ldexp(block[row], -exponents[row], out=block[row])
        yield block


def _products(rows: Sequence[Parameters], exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    products = np.zeros((len(rows), len(rows)))
    for block in scaled_blocks(rows, exponents):
        products += ssyrk(1.0, block.T, trans=True)  # the upper triangle only: half of a general product's work
    products += np.triu(products, 1).T
    return products


def _exponents_of(rows: Sequence[Parameters]) -> NDArray[np.int64]:
    largest = np.zeros(len(rows))
    for row, update in enumerate(rows):
        largest[row] = max((max(array.max(), -array.min()) for array in update.values() if array.size), default=0)
    found = np.frexp(largest)[1].astype(np.int64)
    return np.where((largest > 0) & (np.abs(found) > _EXTREME), np.clip(found, -100, 128), 0)
