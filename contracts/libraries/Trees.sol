// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {TypedData} from "./TypedData.sol";

/// @title Trees
/// @notice The Merkle trees of a round, opened one leaf at a time. The Python side is `protocol/trees.py` and
/// `protocol/evidence.py`; both are checked against `protocol/vectors.json`.
/// @dev Leaves, inner nodes and sum nodes are hashed under different first bytes, so none can be passed off as another, and a
/// leaf binds federation, kind and position. Depth is fixed by the caller, position by the path.
library Trees {
    /// @notice A node of the sum tree: its hash, and the sum of the score bases below it.
    struct SumNode {
        bytes32 hash;
        uint256 sum;
    }

    /// @notice The way from a leaf of the sum tree up to its root.
    /// @param sums What the tree says that the leaf and the nodes above it sum to, the root excepted. They are given and not
    /// added up, so that a tree whose sums are wrong can be opened too.
    /// @param siblings The other child at every height.
    struct SumOpening {
        uint256[13] sums;
        SumNode[13] siblings;
    }

    /// @notice Depth of the trees indexed by node: 8,192 positions.
    uint256 internal constant NODE_DEPTH = 13;

    /// @notice Depth of the trees indexed by position in a list.
    uint256 internal constant LIST_DEPTH = 20;

    /// @notice The kind of the leaves of the update tree.
    uint256 internal constant UPDATE = 3;

    /// @notice Thrown when a position lies outside its tree, or the path has not the tree's depth.
    error BadPosition(uint256 position, uint256 depth);

    /// @dev The hash of a leaf.
    function leaf(bytes32 federation, uint256 kind, uint256 index, bytes memory payload)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(hex"00", federation, abi.encode(kind, index, payload)));
    }

    /// @dev The hash of an update's leaf, which a receipt promises.
    function updateLeaf(bytes32 federation, uint256 index, TypedData.Update memory update, bytes memory signature)
        internal
        pure
        returns (bytes32)
    {
        return leaf(federation, UPDATE, index, abi.encode(update, signature));
    }

    /// @dev The root above a leaf with these siblings, in a tree of this depth.
    function root(bytes32 leaf_, uint256 index, bytes32[] memory siblings, uint256 depth)
        internal
        pure
        returns (bytes32 node)
    {
        if (siblings.length != depth || index >> depth != 0) revert BadPosition(index, depth);
        node = leaf_;
        for (uint256 height; height < depth; ++height) {
            bytes32 sibling = siblings[height];
            node = (index >> height) & 1 == 0
                ? keccak256(abi.encodePacked(hex"01", node, sibling))
                : keccak256(abi.encodePacked(hex"01", sibling, node));
        }
    }

    /// @dev The root of the sum tree above a leaf, what it sums to, and whether all sums on the way add up. Sums are added
    /// modulo 2^256, and a carry counts as not adding up.
    function sumRoot(bytes32 leaf_, uint256 index, SumOpening memory opening)
        internal
        pure
        returns (bytes32 node, uint256 total, bool addsUp)
    {
        if (index >> NODE_DEPTH != 0) revert BadPosition(index, NODE_DEPTH);
        node = leaf_;
        addsUp = true;
        for (uint256 height; height < NODE_DEPTH; ++height) {
            SumNode memory sibling = opening.siblings[height];
            uint256 own = opening.sums[height];
            if (height > 0 && own != total) addsUp = false;
            // A carry is noticed, not an error: the tree may be anybody's.
            unchecked {
                total = own + sibling.sum;
            }
            if (total < own) addsUp = false;
            node = (index >> height) & 1 == 0
                ? keccak256(abi.encodePacked(hex"02", node, own, sibling.hash, sibling.sum))
                : keccak256(abi.encodePacked(hex"02", sibling.hash, sibling.sum, node, own));
        }
    }
}
