// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ScoreVector} from "./ScoreVector.sol";

/// @title Evidence
/// @notice The parts of a round's evidence that the chain judges: its header, its contribution leaves, and the rules that
/// tie scores to them. The Python side is `protocol/evidence.py` and `protocol/shares.py`.
library Evidence {
    /// @notice What the evidence root hashes. `roots` are in the order of the leaf kinds, which count from 1.
    /// @param version The version of the evidence's format.
    /// @param federation The federation's identity.
    /// @param round The round's number.
    /// @param inputs The hash of everything that was fixed when the round opened.
    /// @param seed The seed of its random numbers.
    /// @param roots The root of the tree of every kind of leaf.
    /// @param totalBasis T, the sum of all score bases.
    /// @param utilityEmpty U(∅).
    /// @param utilityAll U(N).
    /// @param zThousandths How many thousandths of a standard error are taken off a contribution.
    /// @param denominator What every contribution is a numerator over.
    /// @param tolerances How far recomputed figures may be from published ones: statistics, utilities, standard errors,
    /// contributions (these two in units of the denominator), and the gain U(N) − U(∅), two sums over the evaluation shards.
    /// @param codeVersion The hash of the code that made it.
    struct Header {
        uint32 version;
        bytes32 federation;
        uint64 round;
        bytes32 inputs;
        bytes32 seed;
        bytes32[13] roots;
        uint256 totalBasis;
        int256 utilityEmpty;
        int256 utilityAll;
        uint32 zThousandths;
        uint256 denominator;
        uint64[5] tolerances;
        bytes32 codeVersion;
    }

    /// @notice A leaf of the sum tree of score bases.
    /// @param node The node's index, its position.
    /// @param contribution The node's Shapley value, a numerator over the denominator.
    /// @param standardError The standard error of it: the root of the sum of the squares of the next two, rounded down.
    /// @param samplingError The part from drawing evaluation samples.
    /// @param estimationError The part from drawing coalitions.
    /// @param basis What the node is paid in proportion to.
    struct Contribution {
        uint32 node;
        int128 contribution;
        uint128 standardError;
        uint128 samplingError;
        uint128 estimationError;
        uint256 basis;
    }

    /// @notice How many kinds of leaves there are.
    uint256 internal constant KINDS = 13;

    uint256 internal constant UPDATE = 3;
    uint256 internal constant STATISTICS = 5;
    uint256 internal constant UTILITY = 7;
    uint256 internal constant CONTRIBUTION = 8;
    uint256 internal constant ESTIMATE = 12;

    /// @notice The denominator of contributions that come from a solve in floats, and are toleranced for it.
    uint256 internal constant SOLVED = 1 << 20;

    /// @dev The evidence root.
    function hash(Header memory header) internal pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    /// @dev The depth of the tree of a kind of leaves: by node, or a list.
    function isList(uint256 kind) internal pure returns (bool) {
        return kind == 1 || kind == UTILITY || kind == 11 || kind == ESTIMATE;
    }

    /// @dev Whether a leaf's standard error and basis are what the header and its other figures make them:
    /// SE = floor(sqrt(sampling² + estimation²)), and the basis is max(0, 1000·φ − z·SE), or zero for every node when
    /// U(N) − U(∅) is within its tolerance.
    function follows(Contribution memory leaf, Header memory header) internal pure returns (bool) {
        // The squares are below 2^256; a sum that is not has a root of more than 128 bits, which no leaf can hold.
        (bool fits, uint256 squares) = Math.tryAdd(uint256(leaf.samplingError) ** 2, uint256(leaf.estimationError) ** 2);
        if (!fits || Math.sqrt(squares) != leaf.standardError) return false;
        return leaf.basis == basis(leaf, header);
    }

    /// @dev The basis that a leaf should have, given its contribution and standard error.
    function basis(Contribution memory leaf, Header memory header) internal pure returns (uint256) {
        if (!gained(header)) return 0;
        // Both products are below 2^161.
        int256 earned = 1000 * int256(leaf.contribution);
        int256 doubt = int256(uint256(header.zThousandths) * leaf.standardError);
        // Positive, so that it fits.
        // forge-lint: disable-next-line(unsafe-typecast)
        return earned > doubt ? uint256(earned - doubt) : 0;
    }

    /// @dev Whether U(N) − U(∅) is above its tolerance, whatever the numbers.
    function gained(Header memory header) internal pure returns (bool) {
        if (header.utilityAll <= header.utilityEmpty) return false;
        // The difference of two int256 in ascending order is a uint256, by the rules of two's complement.
        unchecked {
            return uint256(header.utilityAll) - uint256(header.utilityEmpty) > header.tolerances[4];
        }
    }

    /// @dev Whether a score is further than largest remainders can be from `basis / total` of the whole: with T = 0 every
    /// score is 0, otherwise |score·T − S·basis| < T. `over` says in which direction.
    function misjudged(uint256 score, uint256 basis_, uint256 total) internal pure returns (bool wrong, bool over) {
        if (total == 0) return (score != 0, true);
        // A basis above the total, or so large that S·basis overflows, is worth more than the whole.
        if (basis_ > total) return (true, false);
        // Both products are below 2^280: compared by their two halves.
        (uint256 scoreHigh, uint256 scoreLow) = Math.mul512(score, total);
        (uint256 dueHigh, uint256 dueLow) = Math.mul512(ScoreVector.TOTAL, basis_);
        over = scoreHigh > dueHigh || (scoreHigh == dueHigh && scoreLow >= dueLow);
        if (!over) (scoreHigh, scoreLow, dueHigh, dueLow) = (dueHigh, dueLow, scoreHigh, scoreLow);
        unchecked {
            uint256 high = scoreHigh - dueHigh - (scoreLow < dueLow ? 1 : 0);
            wrong = high != 0 || scoreLow - dueLow >= total;
        }
    }
}
