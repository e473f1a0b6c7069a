"""All inner products between updates in one pass over blocks of parameters; every cheap check is algebra on this one matrix."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.parameters import Parameters

# Columns held at a time: of n updates 4·n·BLOCK bytes, whatever the size of the model.
BLOCK = 1 << 16


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
    """Products in float32 within a block, sums over blocks in float64; rows scaled first, so that no finite update overflows."""
    largest = np.zeros(len(rows), np.float32)
    for row, update in enumerate(rows):
        largest[row] = max((np.abs(array).max(initial=0) for array in update.values()), default=0)
    # A power of two scales without rounding; half of the range of float32 at most, so that its inverse is one too.
    exponents = np.where(largest > 0, np.frexp(largest)[1], 0).clip(-100, 128)
    products = np.zeros((len(rows), len(rows)))
    for block in blocks(rows):
        scaled = np.ldexp(block, -exponents[:, None])
        products += scaled @ scaled.T
    norms = np.sqrt(np.diag(products))
    safe = np.where(norms > 0, norms, 1)
    return Gram(products / safe[:, None] / safe[None, :], np.ldexp(norms, exponents))
