"""The IDX format of the MNIST family: a magic number, the sizes, then the bytes, big-endian; usually behind gzip.

Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits, "File formats".
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.errors import DataError

_UNSIGNED_BYTES = 8


def read_idx(folder: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    """The array in `folder/name` or `folder/name.gz`, whichever is there, with that many dimensions.

    Raises `DataError` if neither is there, or what is there is not a whole IDX file of unsigned bytes; `OSError` if it cannot be
    read.
    """
    path = next((path for path in (folder / name, folder / f"{name}.gz") if path.exists()), None)
    if path is None:
        raise DataError(f"neither {name} nor {name}.gz is in {folder}; put it there")
    content = _unpacked(path)
    header = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, _UNSIGNED_BYTES, dimensions)) or len(content) < header:
        raise DataError(
            f"{path} is not an IDX file of bytes in {dimensions} dimensions (it begins {content[:4].hex()}); restore it"
        )
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise DataError(f"{path} should hold {expected} bytes for its shape {shape}, it holds {len(content)}: fetch it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _unpacked(path: Path) -> bytes:
    packed = path.read_bytes()
    if packed[:2] != b"\x1f\x8b":
        return packed
    try:
        return gzip.decompress(packed)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): fetch it again") from error
