// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Evidence} from "./Evidence.sol";

/// @title Recomputation
/// @notice Whether a scorer's own leaf agrees with the published one: equal, but for the figures that floats make.
/// @dev Payloads are compared word by word and never decoded, so that none can make the comparison fail.
library Recomputation {
    /// @dev Whether `own` is `published`, up to the tolerances of its kind. Equal bytes always agree.
    function agrees(uint256 kind, bytes calldata published, bytes calldata own, uint256[2] memory tolerances)
        internal
        pure
        returns (bool)
    {
        if (keccak256(published) == keccak256(own)) return true;
        if (published.length != own.length || published.length % 32 != 0) return false;
        for (uint256 word; word < published.length / 32; ++word) {
            int256 left = int256(uint256(bytes32(published[32 * word:])));
            int256 right = int256(uint256(bytes32(own[32 * word:])));
            if (_distance(left, right) > _tolerance(kind, word, tolerances)) return false;
        }
        return true;
    }

    /// @dev What the word-th word of a payload may be off by, as `protocol/evidence.py` lays payloads out: the values of a
    /// statistics leaf follow their offset and number, a utility follows coalition's offset and shard, a contribution leaf is
    /// (node, contribution, standard error, sampling error, estimation error, basis), and an estimate leaf four figures that
    /// are exact, residual, spread, and its misses after their offset and number.
    function _tolerance(uint256 kind, uint256 word, uint256[2] memory tolerances) private pure returns (uint256) {
        if (kind == Evidence.STATISTICS && word >= 2) return tolerances[0];
        if (kind == Evidence.UTILITY && word == 2) return tolerances[0];
        if (kind == Evidence.CONTRIBUTION && word == 1) return tolerances[0];
        if (kind == Evidence.CONTRIBUTION && (word == 3 || word == 4)) return tolerances[1];
        if (kind == Evidence.ESTIMATE && (word == 4 || word == 5)) return tolerances[0];
        if (kind == Evidence.ESTIMATE && word >= 8) return tolerances[1];
        return 0;
    }

    /// @dev |left − right|, which a uint256 always holds.
    function _distance(int256 left, int256 right) private pure returns (uint256) {
        // The difference in ascending order is right by the rules of two's complement.
        (int256 low, int256 high) = left > right ? (right, left) : (left, right);
        unchecked {
            // forge-lint: disable-next-line(unsafe-typecast)
            return uint256(high) - uint256(low);
        }
    }
}
