// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ScoreVector} from "../libraries/ScoreVector.sol";
import {Test} from "./utils/Test.sol";

/// @notice Gives the library's functions an outside, where calldata comes from.
contract ScoreVectorHarness {
    function write(bytes calldata scores, uint256 nodeCount) external returns (address) {
        return ScoreVector.write(scores, nodeCount);
    }

    function sum(bytes calldata scores) external pure returns (uint256) {
        return ScoreVector.sum(scores);
    }

    function scoreAt(address pointer, uint256 index) external view returns (uint24) {
        return ScoreVector.scoreAt(pointer, index);
    }

    function read(address pointer) external view returns (bytes memory) {
        return ScoreVector.read(pointer);
    }
}

// write
// ├── no bytes: stores nothing, every score reads zero
// ├── a broken score: reverts
// ├── more scores than nodes: reverts
// ├── scores not summing to TOTAL, all zero included: reverts
// └── scores summing to TOTAL: every score reads back, zero past the end
contract ScoreVectorTest is Test {
    uint256 private constant TOTAL = 10_000_000;

    ScoreVectorHarness private vector;

    function setUp() public {
        vector = new ScoreVectorHarness();
    }

    function testFuzz_sum_equalsThePlainLoop(uint24[] calldata scores) public view {
        uint256 expected;
        for (uint256 i; i < scores.length; ++i) {
            expected += scores[i];
        }
        vm.assertEq(vector.sum(_pack(scores)), expected);
    }

    function test_sum_ofTheGreatestVector() public view {
        uint24[] memory scores = new uint24[](8191);
        for (uint256 i; i < scores.length; ++i) {
            scores[i] = type(uint24).max;
        }
        vm.assertEq(vector.sum(_pack(scores)), 8191 * uint256(type(uint24).max));
    }

    function testFuzz_write_readsBack(uint24[] memory weights, uint256 past) public {
        vm.assume(weights.length > 0);
        uint24[] memory scores = _normalised(weights);
        address pointer = vector.write(_pack(scores), scores.length);
        for (uint256 i; i < scores.length; ++i) {
            vm.assertEq(vector.scoreAt(pointer, i), scores[i]);
        }
        vm.assertEq(vector.scoreAt(pointer, scores.length), 0);
        vm.assertEq(vector.scoreAt(pointer, _clamp(past, scores.length, type(uint32).max)), 0);
        vm.assertEq(vector.read(pointer), _pack(scores));
    }

    function test_write_fillsTheCodeOfAContract() public {
        uint24[] memory scores = new uint24[](8191);
        scores[8190] = uint24(TOTAL - 8190);
        for (uint256 i; i < 8190; ++i) {
            scores[i] = 1;
        }
        address pointer = vector.write(_pack(scores), 8191);
        vm.assertEq(pointer.code.length, 24_574);
        vm.assertEq(vector.scoreAt(pointer, 8189), 1);
        vm.assertEq(vector.scoreAt(pointer, 8190), TOTAL - 8190);
        vm.assertEq(vector.scoreAt(pointer, 8191), 0);
    }

    function test_write_ofNoBytesStoresNothing() public {
        address pointer = vector.write("", 0);
        vm.assertEq(pointer, address(0));
        vm.assertEq(vector.scoreAt(pointer, 0), 0);
        vm.assertEq(vector.read(pointer), "");
    }

    function testFuzz_write_refusesABrokenScore(uint256 length) public {
        length = _clamp(length, 1, 1000);
        vm.assume(length % 3 != 0);
        vm.expectRevert(abi.encodeWithSelector(ScoreVector.ScoresMisaligned.selector, length));
        vector.write(new bytes(length), 1000);
    }

    function test_write_refusesMoreScoresThanNodes() public {
        bytes memory scores = abi.encodePacked(uint24(TOTAL), uint24(0));
        vm.expectRevert(abi.encodeWithSelector(ScoreVector.TooManyScores.selector, 2, 1));
        vector.write(scores, 1);
        vector.write(scores, 2);
    }

    function testFuzz_write_refusesAnotherTotal(uint24 score) public {
        vm.assume(score != TOTAL);
        vm.expectRevert(abi.encodeWithSelector(ScoreVector.WrongScoreTotal.selector, score, TOTAL));
        vector.write(abi.encodePacked(score), 1);
    }

    /// @dev Scores in proportion to the weights, with the remainder at the end, so that they sum to TOTAL.
    function _normalised(uint24[] memory weights) private pure returns (uint24[] memory scores) {
        scores = new uint24[](weights.length);
        uint256 total;
        for (uint256 i; i < weights.length; ++i) {
            total += weights[i];
        }
        uint256 left = TOTAL;
        for (uint256 i; total > 0 && i + 1 < weights.length; ++i) {
            scores[i] = uint24(TOTAL * weights[i] / total);
            left -= scores[i];
        }
        scores[weights.length - 1] = uint24(left);
    }

    function _pack(uint24[] memory scores) private pure returns (bytes memory packed) {
        packed = new bytes(scores.length * 3);
        for (uint256 i; i < scores.length; ++i) {
            packed[3 * i] = bytes1(uint8(scores[i] >> 16));
            packed[3 * i + 1] = bytes1(uint8(scores[i] >> 8));
            packed[3 * i + 2] = bytes1(uint8(scores[i]));
        }
    }
}
