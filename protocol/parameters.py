"""Named tensors: what a model is, what an update is, how they travel and how they are hashed.

Tensors travel and rest as safetensors (https://github.com/huggingface/safetensors), never as pickle, which runs code.
"""

import hashlib
import struct
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from protocol.errors import BodyError, FormatError

Parameters = Mapping[str, NDArray[np.float32]]
"""Tensor name → float32 array, in the model's declared order. The order is part of the model: sums and hashes follow it."""

_MODEL_TAG = b"fairshare/model/1"


class TensorLayout(NamedTuple):
    """Name, safetensors dtype (always "F32" in a model) and shape of one tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class RawTensor(NamedTuple):
    """A tensor as it arrived: its layout and its little-endian bytes, not yet trusted to be what it should be."""

    layout: TensorLayout
    data: bytes


def layout_of(parameters: Parameters) -> tuple[TensorLayout, ...]:
    """The layout of a model, in its declared order."""
    return tuple(TensorLayout(name, "F32", array.shape) for name, array in parameters.items())


def model_hash(parameters: Parameters) -> bytes:
    """SHA-256 over names, dtypes, shapes and little-endian bytes in declared order; every part is length-prefixed.

    Raises `FormatError` if a tensor is not float32 or has the one name that safetensors reserves.
    """
    digest = hashlib.sha256(_MODEL_TAG)
    for name, array in parameters.items():
        _check_tensor(name, array)
        encoded = name.encode()
        digest.update(struct.pack(">I", len(encoded)) + encoded + b"F32")
        digest.update(struct.pack(f">I{array.ndim}Q", array.ndim, *array.shape))
        digest.update(np.asarray(array, dtype="<f4").tobytes())  # tobytes is in C order, whatever the array's
    return digest.digest()


def encode_parameters(parameters: Parameters) -> bytes:
    """The safetensors file of a model or an update. Deterministic; the declared order is not kept in the file.

    Raises `FormatError` as `model_hash` does.
    """
    for name, array in parameters.items():
        _check_tensor(name, array)
    # asarray and not ascontiguousarray, which turns a scalar tensor into a vector of one
    return save({name: np.asarray(array, dtype="<f4", order="C") for name, array in parameters.items()})


def decode_tensors(data: bytes) -> dict[str, RawTensor]:
    """Read a safetensors file of any dtypes and shapes.

    Raises `BodyError` if `data` is not a complete safetensors file.
    """
    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]  # because safetensors ships no types
    except SafetensorError as error:
        raise BodyError(f"not a complete safetensors file: {error}") from error
    return {
        name: RawTensor(TensorLayout(name, entry["dtype"], tuple(entry["shape"])), bytes(entry["data"]))
        for name, entry in entries
    }


def read_parameters(data: bytes, layout: tuple[TensorLayout, ...]) -> dict[str, NDArray[np.float32]]:
    """Decode a safetensors file that must have exactly `layout`; tensors come back in the layout's order.

    Raises `BodyError` if the file is not safetensors, `FormatError` naming the first tensor that differs.
    """
    tensors = decode_tensors(data)
    difference = layout_difference(tensors, layout)
    if difference is not None:
        raise FormatError(difference)
    return {
        expected.name: np.frombuffer(tensors[expected.name].data, dtype="<f4").reshape(expected.shape).astype(np.float32)
        for expected in layout
    }


def layout_difference(tensors: Mapping[str, RawTensor], layout: tuple[TensorLayout, ...]) -> str | None:
    """A sentence naming the first tensor whose name, dtype or shape differs from `layout`; None if all agree."""
    for expected in layout:
        found = tensors.get(expected.name)
        if found is None:
            return f"tensor {expected.name!r} is missing"
        if found.layout.dtype != expected.dtype:
            return f"tensor {expected.name!r} has dtype {found.layout.dtype}, expected {expected.dtype}"
        if found.layout.shape != expected.shape:
            return f"tensor {expected.name!r} has shape {found.layout.shape}, expected {expected.shape}"
    names = {expected.name for expected in layout}
    extra = next((name for name in tensors if name not in names), None)
    return None if extra is None else f"tensor {extra!r} is not part of the model"


def _check_tensor(name: str, array: NDArray[np.float32]) -> None:
    if array.dtype != np.float32:
        raise FormatError(f"tensor {name!r} is {array.dtype}, a model holds float32 only: cast it with .float()")
    if name == "__metadata__":
        raise FormatError("safetensors keeps the name '__metadata__' for itself: rename this tensor of the model")
