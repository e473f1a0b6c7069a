// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// claim
// ├── a round that is not Final: reverts
// ├── a round claimed before, or named twice: reverts
// ├── nothing earned, as by a node that does not exist: reverts
// └── otherwise: by anyone, mints the sum to the payout address of now, also of a node that left
// rewards
// └── of a round that pays sum to the pool
contract ClaimTest is BaseTest {
    function setUp() public override {
        super.setUp();
        _joinMany(3);
    }

    function test_mintsToThePayout() public {
        uint64[] memory rounds = new uint64[](2);
        rounds[1] = _settle(_scores(1_000_000, 0));
        rounds[0] = _settle(_scores(500_000, 0));
        vm.expectEmit();
        emit IRoundLedger.RewardsClaimed(0, _payout(0), rounds, POOL * 15 / 100);
        vm.prank(STRANGER);
        vm.assertEq(ledger.claim(0, rounds), POOL * 15 / 100);
        vm.assertEq(token.balanceOf(_payout(0)), POOL * 15 / 100);
        vm.assertEq(token.totalSupply(), POOL * 15 / 100);
        vm.assertTrue(ledger.claimed(0, rounds[0]) && ledger.claimed(0, rounds[1]));
        vm.assertFalse(ledger.claimed(2, rounds[0]));
    }

    function test_toThePayoutOfNow_alsoAfterLeaving() public {
        uint64 round = _settle(_scores(1_000_000, 0));
        vm.startPrank(_owner(0));
        registry.leaveFederation();
        _wait(UNBONDING);
        registry.withdraw(0);
        registry.setPayout(_payout(7));
        vm.stopPrank();
        ledger.claim(0, _one(round));
        vm.assertEq(token.balanceOf(_payout(7)), POOL / 10);
        vm.assertEq(token.balanceOf(_payout(0)), 0);
    }

    function test_notFinal() public {
        _notFinal(1);
        uint64 round = _openAndClose();
        _notFinal(round);
        _propose(round, _scores(1_000_000, 0));
        _notFinal(round);
        vm.warp(ledger.roundOf(round).deadline - 1);
        _notFinal(round);
        _wait(1);
        ledger.claim(0, _one(round));
        _notFinal(_void());
    }

    function _notFinal(uint64 round) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NotFinal.selector, round));
        ledger.claim(0, _one(round));
    }

    function test_twice() public {
        uint64 round = _settle(_scores(1_000_000, 0));
        uint64[] memory twice = new uint64[](2);
        twice[0] = round;
        twice[1] = round;
        bytes memory reason = abi.encodeWithSelector(IRoundLedger.AlreadyClaimed.selector, round);
        vm.expectRevert(reason);
        ledger.claim(0, twice);
        vm.assertFalse(ledger.claimed(0, round));
        ledger.claim(0, _one(round));
        vm.expectRevert(reason);
        ledger.claim(0, _one(round));
        vm.assertEq(token.totalSupply(), POOL / 10);
    }

    function test_nothingEarned() public {
        uint64 round = _settle(_scores(1_000_000, 0));
        uint32[2] memory nodes = [uint32(1), uint32(77)];
        for (uint256 i; i < nodes.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IRoundLedger.NothingToClaim.selector, nodes[i]);
            vm.expectRevert(reason);
            ledger.claim(nodes[i], _one(round));
            vm.expectRevert(reason);
            ledger.claim(nodes[i], new uint64[](0));
            vm.expectRevert(reason);
            ledger.claim(nodes[i], _one(0));
        }
    }

    function test_aZeroRoundAmongOthersCountsAsClaimed() public {
        uint64[] memory rounds = new uint64[](2);
        rounds[0] = _settle("");
        rounds[1] = _settle(_scores(1_000_000, 0));
        ledger.claim(0, rounds);
        vm.assertTrue(ledger.claimed(0, rounds[0]));
    }

    function testFuzz_rewardsSumToThePool(uint24 first, uint24 second) public {
        first = uint24(_clamp(first, 0, SCORES));
        second = uint24(_clamp(second, 0, SCORES - first));
        uint64 round = _settle(_scores(first, second));
        uint256 sum;
        for (uint32 node; node < 3; ++node) {
            uint256 reward = ledger.rewardOf(round, node);
            vm.assertEq(reward, uint256(ledger.scoreOf(round, node)) * (POOL / SCORES));
            sum += reward;
            if (reward > 0) ledger.claim(node, _one(round));
            vm.assertEq(token.balanceOf(_payout(node)), reward);
        }
        vm.assertEq(sum, POOL);
        vm.assertEq(token.totalSupply(), POOL);
    }

    /// @dev Rounds claimed in any portions and order: every node gets exactly what it earned.
    function testFuzz_claimsInPortions(uint256 portions) public {
        uint256 rounds = 4;
        for (uint256 i; i < rounds; ++i) {
            _settle(_scores(uint24(1 + i), uint24(1 + 3 * i)));
        }
        uint256 earned;
        for (uint64 round = 1; round <= rounds; ++round) {
            earned += ledger.rewardOf(round, 1);
        }
        for (uint256 part; part < 3; ++part) {
            uint64[] memory chosen = new uint64[](rounds);
            uint256 count;
            for (uint256 i; i < rounds; ++i) {
                uint64 round = uint64(rounds - i);
                if ((portions >> (2 * i)) % 4 % 3 == part) chosen[count++] = round;
            }
            assembly ("memory-safe") {
                mstore(chosen, count)
            }
            if (count > 0) ledger.claim(1, chosen);
        }
        vm.assertEq(token.balanceOf(_payout(1)), earned);
    }
}
