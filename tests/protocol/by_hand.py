"""The formats of the protocol, written a second time from their definitions and sharing no code with `protocol`.

Only keccak256, SHA-256 and secp256k1 are taken from libraries; ABI words, trees, EIP-712 structs and files are put
together byte by byte, so that a vector made here is evidence and not an echo.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

Tensors = list[tuple[str, list[int], list[float]]]
"""A model as name, shape and values in C order."""


def word(value: int | bytes | str) -> bytes:
    """One static ABI value as 32 bytes: an integer (two's complement), 32 bytes, or an address."""
    if isinstance(value, str):
        return bytes(12) + bytes.fromhex(value[2:])
    if isinstance(value, bytes):
        assert len(value) == 32
        return value
    return (value % (1 << 256)).to_bytes(32, "big")


def bytes_tail(value: bytes) -> bytes:
    """The tail of an ABI `bytes`: its length, then its content padded to whole words."""
    return word(len(value)) + value + bytes(-len(value) % 32)


def words_tail(values: list[int] | list[bytes]) -> bytes:
    """The tail of an ABI dynamic array of static values."""
    return word(len(values)) + b"".join(map(word, values))


def payload(kind: str, values: list) -> bytes:
    """abi.encode of an evidence leaf's payload fields."""
    if kind == "UPDATE":  # six static fields, then `bytes signature` at offset 7 words
        return b"".join(map(word, values[:6])) + word(7 * 32) + bytes_tail(values[6])
    if kind == "RECEIPT":  # one `bytes`
        return word(32) + bytes_tail(values[0])
    if kind == "STATISTICS":  # one int256[]
        return word(32) + words_tail(values[0])
    if kind == "UTILITY":  # bytes coalition, uint32 shard, int256 utility
        return word(3 * 32) + word(values[1]) + word(values[2]) + bytes_tail(values[0])
    if kind == "ESTIMATE":  # six static fields, then `uint256[] misses` at offset 7 words
        return b"".join(map(word, values[:6])) + word(7 * 32) + words_tail(values[6])
    return b"".join(map(word, values))


def leaf(federation: bytes, kind: int, position: int, content: bytes) -> bytes:
    """keccak256(0x00 ‖ federation ‖ abi.encode(kind, position, bytes payload))."""
    return keccak(b"\x00" + federation + word(kind) + word(position) + word(96) + bytes_tail(content))


def subtree(leaves: dict[int, bytes], height: int, number: int = 0) -> bytes:
    """Hash of node `number` (from the left) at `height` above the leaves, by the definition."""
    if height == 0:
        return leaves.get(number, bytes(32))
    if not any(position >> height == number for position in leaves):
        empty = bytes(32)
        for _ in range(height):
            empty = keccak(b"\x01" + empty + empty)
        return empty
    return keccak(b"\x01" + subtree(leaves, height - 1, 2 * number) + subtree(leaves, height - 1, 2 * number + 1))


def siblings(leaves: dict[int, bytes], depth: int, position: int) -> list[bytes]:
    """The siblings on the way from a leaf to the root."""
    return [subtree(leaves, height, (position >> height) ^ 1) for height in range(depth)]


def sum_subtree(leaves: dict[int, tuple[bytes, int]], height: int, number: int = 0) -> tuple[bytes, int]:
    """Hash and sum of a node of the sum tree, by the definition."""
    if height == 0:
        return leaves.get(number, (bytes(32), 0))
    if not any(position >> height == number for position in leaves):
        empty = bytes(32)
        for _ in range(height):
            empty = keccak(b"\x02" + empty + word(0) + empty + word(0))
        return empty, 0
    left, left_sum = sum_subtree(leaves, height - 1, 2 * number)
    right, right_sum = sum_subtree(leaves, height - 1, 2 * number + 1)
    return keccak(b"\x02" + left + word(left_sum) + right + word(right_sum)), left_sum + right_sum


def sum_siblings(leaves: dict[int, tuple[bytes, int]], depth: int, position: int) -> list[tuple[bytes, int]]:
    """Hash and sum of the siblings on the way from a leaf of the sum tree to its root."""
    return [sum_subtree(leaves, height, (position >> height) ^ 1) for height in range(depth)]


def domain_separator(chain_id: int, ledger: str) -> bytes:
    """The EIP-712 domain separator of name "fairshare", version "1"."""
    type_hash = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return keccak(type_hash + keccak(b"fairshare") + keccak(b"1") + word(chain_id) + word(ledger))


def struct_hash(type_string: str, values: Sequence[Any]) -> bytes:
    """EIP-712 hashStruct; the kinds of the fields are read from the type string."""
    kinds = [field.split()[0] for field in type_string.split("(")[1].split(")")[0].split(",")]
    encoded = [keccak(text=value) if kind == "string" else word(value) for kind, value in zip(kinds, values, strict=True)]
    return keccak(keccak(text=type_string) + b"".join(encoded))


def signing_digest(federation: bytes, hashed_struct: bytes) -> bytes:
    """What EIP-712 signs."""
    return keccak(b"\x19\x01" + federation + hashed_struct)


def sign(key: int, digest: bytes) -> bytes:
    """r ‖ s ‖ v by RFC 6979, v 27 or 28; libsecp256k1 gives low s."""
    signature = PrivateKey(key.to_bytes(32, "big")).sign_msg_hash(digest)
    return signature.r.to_bytes(32, "big") + signature.s.to_bytes(32, "big") + bytes([27 + signature.v])


def address(key: int) -> str:
    """The checksummed address of a key."""
    return PrivateKey(key.to_bytes(32, "big")).public_key.to_checksum_address()


def float32(values: list[float]) -> bytes:
    """Little-endian float32."""
    return struct.pack(f"<{len(values)}f", *values)


def model_preimage(tensors: Tensors) -> bytes:
    """What a model hash hashes: the tag, then name, dtype, shape and little-endian values of each tensor in declared order."""
    parts = [b"fairshare/model/1"]
    for name, shape, values in tensors:
        parts += [len(name.encode()).to_bytes(4, "big"), name.encode(), b"F32", len(shape).to_bytes(4, "big")]
        parts += [extent.to_bytes(8, "big") for extent in shape] + [float32(values)]
    return b"".join(parts)


def safetensors(tensors: Tensors) -> bytes:
    """A safetensors file: header length (8 bytes, little-endian), JSON header padded to 8 bytes, values; sorted by name."""
    header, data = {}, b""
    for name, shape, values in sorted(tensors):
        content = float32(values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    described = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    described += b" " * (-len(described) % 8)
    return len(described).to_bytes(8, "little") + described + data


def config_preimage(rows: list[tuple[str, int | str]]) -> bytes:
    """What a config hash hashes: the tag, then dotted key, "int" or "str", and value of every row, each length-prefixed."""
    parts = [b"fairshare/config/1"]
    for key, value in rows:
        for text in (key, "int" if isinstance(value, int) else "str", str(value)):
            parts += [len(text.encode()).to_bytes(4, "big"), text.encode()]
    return b"".join(parts)


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
