"""The Solidity types of what is signed or hashed: what has such a type, its ABI encoding, and how it is written in JSON.

eth_abi pads short bytes, takes addresses in any spelling and raises errors of its own; here a value that is not exactly of
its type is a `FormatError` that names it.
"""

import re
import reprlib
from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import is_checksum_address

from protocol.errors import FormatError

Fields = Sequence[tuple[str, str]]
"""(ABI type, name) of each value, in the order of encoding."""

_DECIMAL = re.compile(r"-?[0-9]{1,78}")  # 78 digits hold any 256-bit integer
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def check_value(what: str, abi_type: str, value: object) -> None:
    """Raise `FormatError`, calling the value `what`, unless it has this type.

    Types are address, string, bytes, bytesN, intN, uintN and arrays T[] and T[n] of these. Addresses are EIP-55
    checksummed, so that each has one spelling.

    >>> check_value("samples", "uint32", 1 << 32)
    Traceback (most recent call last):
    protocol.errors.FormatError: samples = 4294967296 is not a uint32
    """
    if not _has_type(abi_type, value):
        raise FormatError(f"{what} = {reprlib.repr(value)} is not a {abi_type}")


def encode_fields(fields: Fields, values: Sequence[Any]) -> bytes:
    """abi.encode of the values, as Solidity does it.

    Raises `FormatError` naming the first value that does not have its type.
    """
    for (abi_type, name), value in zip(fields, values, strict=True):
        check_value(name, abi_type, value)
    return encode([abi_type for abi_type, _ in fields], values)


def to_json(value: Any) -> Any:
    """A value for a JSON document: integers as decimal strings, bytes as 0x-hex, sequences as lists."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value if isinstance(value, str) else str(int(value))


def from_json(what: str, abi_type: str, value: Any) -> Any:
    """The value of this type that `to_json` wrote; arrays come back as tuples.

    Raises `FormatError`, calling the value `what`.
    """
    read = _read(abi_type, value)
    check_value(what, abi_type, read)
    return read


def _read(abi_type: str, value: Any) -> Any:
    if abi_type.endswith("]"):
        element = abi_type[: abi_type.rindex("[")]
        return tuple(_read(element, item) for item in value) if isinstance(value, list) else value
    if not isinstance(value, str) or abi_type in ("address", "string"):
        return value
    if abi_type.startswith("bytes"):
        return bytes.fromhex(value[2:]) if _HEX.fullmatch(value) else value
    return int(value) if _DECIMAL.fullmatch(value) else value


def _has_type(abi_type: str, value: object) -> bool:
    if abi_type.endswith("]"):
        element, _, length = abi_type[:-1].rpartition("[")
        if not isinstance(value, tuple | list) or (length and len(value) != int(length)):
            return False
        return all(_has_type(element, item) for item in value)
    if abi_type == "address":
        return is_checksum_address(value)
    if abi_type == "string":
        # a lone surrogate is a str in Python, but no text in UTF-8
        return isinstance(value, str) and value.encode(errors="replace").decode() == value
    if abi_type.startswith("bytes"):
        length = abi_type.removeprefix("bytes")
        return isinstance(value, bytes) and (not length or len(value) == int(length))
    signed = abi_type.startswith("int")
    bits = int(abi_type.lstrip("uint"))
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return -(1 << bits - 1) <= value < 1 << bits - 1 if signed else 0 <= value < 1 << bits
