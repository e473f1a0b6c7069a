"""Merkle trees whose leaves the chain can open one at a time.

Leaves, inner nodes and sum nodes are hashed under different first bytes (0x00, 0x01, 0x02), so none can be passed off as
another; leaves bind federation, kind and position. Every tree is sparse and of fixed depth: a position says which leaf is
meant, and a missing leaf is the empty leaf, which no present leaf hashes to.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from eth_utils.crypto import keccak

from protocol.abi import encode_fields

NODE_TREE_DEPTH = 13
"""Trees indexed by node: 8,192 positions for node indices 0 to 8,190."""

LIST_TREE_DEPTH = 20
"""Trees indexed by position in a list, such as the utilities."""

EMPTY_LEAF = bytes(32)

_LEAF_FIELDS = (("uint256", "kind"), ("uint256", "index"), ("bytes", "payload"))

_Node = TypeVar("_Node")


class SumNode(NamedTuple):
    """A node of the sum tree: its hash, and the sum of the score bases below it."""

    hash: bytes
    sum: int


EMPTY_SUM_LEAF = SumNode(EMPTY_LEAF, 0)


class SumOpening(NamedTuple):
    """The way from a leaf of the sum tree up to its root, as the Court takes it: what the leaf and the nodes above it sum
    to, the root excepted, and the other child at every height.
    """

    sums: tuple[int, ...]
    siblings: tuple[SumNode, ...]


def leaf_hash(federation: bytes, kind: int, index: int, payload: bytes) -> bytes:
    """keccak256(0x00 ‖ federation ‖ abi.encode(uint256 kind, uint256 index, bytes payload))."""
    return keccak(b"\x00" + federation + encode_fields(_LEAF_FIELDS, (kind, index, payload)))


def inner_hash(left: bytes, right: bytes) -> bytes:
    """keccak256(0x01 ‖ left ‖ right)."""
    return keccak(b"\x01" + left + right)


def sum_hash(left: SumNode, right: SumNode) -> SumNode:
    """keccak256(0x02 ‖ left ‖ sumLeft ‖ right ‖ sumRight), sums as 32 bytes big-endian.

    Raises `OverflowError` for a sum that has no 32 bytes, which that of its parents would be.
    """
    preimage = left.hash + left.sum.to_bytes(32) + right.hash + right.sum.to_bytes(32)
    return SumNode(keccak(b"\x02" + preimage), left.sum + right.sum)


def _wrapped(left: SumNode, right: SumNode) -> SumNode:
    """`sum_hash` modulo 2^256, as the chain adds up what it is shown: of whatever leaves, there is an opening to show it."""
    hashed, total = sum_hash(left, right)
    return SumNode(hashed, total % (1 << 256))


def tree_root(leaves: Mapping[int, bytes], depth: int) -> bytes:
    """Root of the sparse tree with these leaf hashes at these positions."""
    return _levels(leaves, depth, EMPTY_LEAF, inner_hash)[-1][0]


def sum_tree_root(leaves: Mapping[int, SumNode], depth: int = NODE_TREE_DEPTH) -> SumNode:
    """Root hash and total of the sparse sum tree."""
    return _levels(leaves, depth, EMPTY_SUM_LEAF, sum_hash)[-1][0]


def tree_proof(leaves: Mapping[int, bytes], depth: int, index: int) -> tuple[bytes, ...]:
    """The siblings from leaf `index` up to the root; an absent index gives a proof of emptiness.

    Raises `ValueError` for an index that the tree does not have; so do the other functions here.
    """
    return _siblings(_levels(leaves, depth, EMPTY_LEAF, inner_hash, index), index)


def sum_tree_proof(leaves: Mapping[int, SumNode], index: int, depth: int = NODE_TREE_DEPTH) -> tuple[SumNode, ...]:
    """The siblings, with their sums, from leaf `index` up to the root."""
    return _siblings(_levels(leaves, depth, EMPTY_SUM_LEAF, _wrapped, index), index)


def sum_tree_opening(leaves: Mapping[int, SumNode], index: int, depth: int = NODE_TREE_DEPTH) -> SumOpening:
    """The opening of leaf `index`, which may be absent."""
    levels = _levels(leaves, depth, EMPTY_SUM_LEAF, _wrapped, index)
    sums = tuple(level[index >> height].sum if index >> height in level else 0 for height, level in enumerate(levels[:-1]))
    return SumOpening(sums, _siblings(levels, index))


def root_from_proof(leaf: bytes, index: int, proof: tuple[bytes, ...]) -> bytes:
    """The root that a leaf at `index` with these siblings belongs to; compare it with the published one."""
    return _climb(leaf, index, proof, inner_hash)


def sum_root_from_proof(leaf: SumNode, index: int, proof: tuple[SumNode, ...]) -> SumNode:
    """The root and total that a sum leaf at `index` with these siblings belongs to."""
    return _climb(leaf, index, proof, sum_hash)


def _levels(
    leaves: Mapping[int, _Node],
    depth: int,
    empty: _Node,
    combine: Callable[[_Node, _Node], _Node],
    keep: int | None = None,
) -> list[dict[int, _Node]]:
    """All non-empty nodes of every level, leaves first; the siblings on the path of `keep` are filled in as well."""
    for index in leaves:
        _check_index(index, depth)
    if keep is not None:
        _check_index(keep, depth)
    level, levels = dict(leaves), []
    for height in range(depth):
        if keep is not None:
            level.setdefault((keep >> height) ^ 1, empty)
        levels.append(level)
        parents = {index >> 1 for index in level} or {0}
        level = {p: combine(level.get(2 * p, empty), level.get(2 * p + 1, empty)) for p in parents}
        empty = combine(empty, empty)
    return [*levels, level]


def _check_index(index: int, depth: int) -> None:
    if not 0 <= index < 1 << depth:
        raise ValueError(f"there is no position {index}: a tree of depth {depth} has positions 0 to {(1 << depth) - 1}")


def _siblings(levels: list[dict[int, _Node]], index: int) -> tuple[_Node, ...]:
    return tuple(level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1]))


def _climb(node: _Node, index: int, proof: tuple[_Node, ...], combine: Callable[[_Node, _Node], _Node]) -> _Node:
    _check_index(index, len(proof))  # otherwise one proof would hold for every index with the same low bits
    for height, sibling in enumerate(proof):
        node = combine(sibling, node) if index >> height & 1 else combine(node, sibling)
    return node
