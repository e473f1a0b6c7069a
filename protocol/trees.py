"""Merkle trees whose leaves the chain can open one at a time.

Leaves, inner nodes and sum nodes are hashed under different first bytes (0x00, 0x01, 0x02), so none can be passed off as
another; leaves bind federation, kind and position. Every tree is sparse and of fixed depth: a position says which leaf is
meant, and a missing leaf is the empty leaf, which no present leaf hashes to.
"""

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

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


class Tree(Generic[_Node]):
    """A sparse tree with all its nodes: hashed once, it opens any position without hashing again.

    `root` is its root; memory is in proportion to the leaves. Raises `ValueError` for a position that the tree does not have;
    so do the functions here.
    """

    def __init__(self, leaves: Mapping[int, _Node], depth: int, empty: _Node, combine: Callable[[_Node, _Node], _Node]) -> None:
        for index in leaves:
            _check_index(index, depth)
        level = dict(leaves)
        self._levels: list[tuple[dict[int, _Node], _Node]] = []
        for _ in range(depth):
            self._levels.append((level, empty))
            parents = {index >> 1 for index in level}
            level = {p: combine(level.get(2 * p, empty), level.get(2 * p + 1, empty)) for p in parents}
            empty = combine(empty, empty)
        self.root = level.get(0, empty)

    def path(self, index: int) -> tuple[_Node, ...]:
        """The nodes from `index` up to the root, which is left out."""
        _check_index(index, len(self._levels))
        return tuple(level.get(index >> height, empty) for height, (level, empty) in enumerate(self._levels))

    def siblings(self, index: int) -> tuple[_Node, ...]:
        """The other child at every height; with an absent leaf they prove that nothing stands there."""
        _check_index(index, len(self._levels))
        return tuple(level.get((index >> height) ^ 1, empty) for height, (level, empty) in enumerate(self._levels))


def tree_of(leaves: Mapping[int, bytes], depth: int) -> Tree[bytes]:
    """The tree with these leaf hashes at these positions."""
    return Tree(leaves, depth, EMPTY_LEAF, inner_hash)


def sum_tree_of(leaves: Mapping[int, SumNode], depth: int = NODE_TREE_DEPTH) -> Tree[SumNode]:
    """The sum tree of these leaves, whatever they sum to: modulo 2^256."""
    return Tree(leaves, depth, EMPTY_SUM_LEAF, _wrapped)


def tree_root(leaves: Mapping[int, bytes], depth: int) -> bytes:
    """Root of the sparse tree with these leaf hashes at these positions."""
    return tree_of(leaves, depth).root


def sum_tree_root(leaves: Mapping[int, SumNode], depth: int = NODE_TREE_DEPTH) -> SumNode:
    """Root hash and total of the sparse sum tree."""
    return Tree(leaves, depth, EMPTY_SUM_LEAF, sum_hash).root


def tree_proof(leaves: Mapping[int, bytes], depth: int, index: int) -> tuple[bytes, ...]:
    """The siblings from leaf `index` up to the root; an absent index gives a proof of emptiness."""
    return tree_of(leaves, depth).siblings(index)


def sum_tree_proof(leaves: Mapping[int, SumNode], index: int, depth: int = NODE_TREE_DEPTH) -> tuple[SumNode, ...]:
    """The siblings, with their sums, from leaf `index` up to the root."""
    return sum_tree_of(leaves, depth).siblings(index)


def sum_tree_opening(leaves: Mapping[int, SumNode], index: int, depth: int = NODE_TREE_DEPTH) -> SumOpening:
    """The opening of leaf `index`, which may be absent."""
    return opened(sum_tree_of(leaves, depth), index)


def opened(tree: Tree[SumNode], index: int) -> SumOpening:
    """The opening of a position of a sum tree."""
    return SumOpening(tuple(node.sum for node in tree.path(index)), tree.siblings(index))


def root_from_proof(leaf: bytes, index: int, proof: tuple[bytes, ...]) -> bytes:
    """The root that a leaf at `index` with these siblings belongs to; compare it with the published one."""
    return _climb(leaf, index, proof, inner_hash)


def sum_root_from_proof(leaf: SumNode, index: int, proof: tuple[SumNode, ...]) -> SumNode:
    """The root and total that a sum leaf at `index` with these siblings belongs to."""
    return _climb(leaf, index, proof, sum_hash)


def _check_index(index: int, depth: int) -> None:
    if not 0 <= index < 1 << depth:
        raise ValueError(f"there is no position {index}: a tree of depth {depth} has positions 0 to {(1 << depth) - 1}")


def _climb(node: _Node, index: int, proof: tuple[_Node, ...], combine: Callable[[_Node, _Node], _Node]) -> _Node:
    _check_index(index, len(proof))  # otherwise one proof would hold for every index with the same low bits
    for height, sibling in enumerate(proof):
        node = combine(sibling, node) if index >> height & 1 else combine(node, sibling)
    return node
