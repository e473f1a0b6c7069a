// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

/// @title ScoreVector
/// @notice The scores of one round: an unsigned 24-bit integer per node index, packed big-endian, three bytes a node,
/// kept for ever as the code of a data contract. A round pays by shares, so the scores of a vector sum to `TOTAL`.
/// @dev Code is written once and costs 200 gas a byte, a storage slot 22,100 gas for ten scores; 8,191 scores fill the
/// 24,576 bytes that EIP-170 allows. A round in which nobody earned anything has no vector: its pointer is zero, and
/// every score reads zero.
library ScoreVector {
    /// @notice What the scores of a vector sum to.
    uint256 internal constant TOTAL = 10_000_000;

    /// @notice Bytes per score.
    uint256 internal constant WIDTH = 3;

    /// @notice Thrown when the packed scores are not a whole number of scores.
    error ScoresMisaligned(uint256 length);

    /// @notice Thrown when there are scores for node indices that did not exist when the round opened.
    error TooManyScores(uint256 count, uint256 nodeCount);

    /// @notice Thrown when the scores do not sum to `TOTAL`. All scores zero is written as no bytes at all.
    error WrongScoreTotal(uint256 sum, uint256 total);

    /// @dev Stores `scores` after checking that there is at most one for each of `nodeCount` nodes and that they sum to
    /// `TOTAL`. No bytes mean that all scores are zero, for which nothing is stored and the zero address is returned.
    function write(bytes calldata scores, uint256 nodeCount) internal returns (address pointer) {
        if (scores.length == 0) return address(0);
        if (scores.length % WIDTH != 0) revert ScoresMisaligned(scores.length);
        if (scores.length / WIDTH > nodeCount) revert TooManyScores(scores.length / WIDTH, nodeCount);
        uint256 total = sum(scores);
        if (total != TOTAL) revert WrongScoreTotal(total, TOTAL);
        return SSTORE2.write(scores);
    }

    /// @dev The sum of packed scores. Thirty bytes are ten scores in one word, added as five lanes of 48 bits: a lane
    /// would overflow after 2^23 words, which no transaction can carry. The lanes are the digits of a number of base
    /// 2^48, and a number is congruent to the sum of its digits modulo the base less one.
    function sum(bytes calldata scores) internal pure returns (uint256) {
        // slither-disable-next-line too-many-digits (a mask)
        uint256 evenScores = 0x000000ffffff000000ffffff000000ffffff000000ffffff000000ffffff;
        uint256 lanes = 0;
        // Converting a shorter slice pads it with zero bytes, so that the last word needs no case of its own.
        for (uint256 i; i < scores.length; i += 10 * WIDTH) {
            uint256 word = uint240(bytes30(scores[i:]));
            lanes += (word & evenScores) + ((word >> 24) & evenScores);
        }
        return lanes % (2 ** 48 - 1);
    }

    /// @dev The score at `index`, zero past the end of the vector: the index of a node that joined after the round.
    function scoreAt(address pointer, uint256 index) internal view returns (uint24) {
        if (pointer == address(0)) return 0;
        // The conversion pads an empty slice with zero bytes.
        return uint24(bytes3(SSTORE2.read(pointer, index * WIDTH, (index + 1) * WIDTH)));
    }

    /// @dev The packed scores, empty when all are zero.
    function read(address pointer) internal view returns (bytes memory) {
        return pointer == address(0) ? bytes("") : SSTORE2.read(pointer);
    }
}
