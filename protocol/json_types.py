"""How values stand in JSON that JSON has no type for, in the resources of the API as in files."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from protocol.abi import check_value


def _to_int(value: Any) -> Any:
    return int(value) if isinstance(value, str) else value


def _to_bytes(value: Any) -> Any:
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else value


BigInt = Annotated[int, BeforeValidator(_to_int), PlainSerializer(str, return_type=str)]
"""An integer of any size: a decimal string."""

HexBytes = Annotated[bytes, BeforeValidator(_to_bytes), PlainSerializer(lambda v: "0x" + v.hex(), return_type=str)]
"""Bytes: 0x-prefixed hexadecimal."""

Hash = Annotated[HexBytes, Field(min_length=32, max_length=32)]
"""32 bytes."""


def _checksummed(value: str) -> str:
    check_value("address (EIP-55 checksummed)", "address", value)
    return value


Address = Annotated[str, AfterValidator(_checksummed)]
"""An EIP-55 checksummed address."""
