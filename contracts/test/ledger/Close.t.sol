// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// close, abandon
// ├── by anybody but the round's aggregator: reverts
// ├── close with no root, or with another number of commitments on chain: reverts
// ├── a round that is not Open (any more): reverts
// ├── close: binds the updates and the block whose hash becomes the seed
// └── abandon: Void at once
contract CloseTest is BaseTest {
    function test_close() public {
        uint64 round = _open();
        uint40 deadline = uint40(vm.getBlockTimestamp()) + PROPOSE_DEADLINE;
        vm.expectEmit();
        emit IRoundLedger.RoundClosed(round, UPDATE_ROOT, uint64(vm.getBlockNumber()), deadline);
        _close(round);
        IRoundLedger.Round memory r = ledger.roundOf(round);
        _stateIs(round, IRoundLedger.State.Closed);
        vm.assertEq(r.updateRoot, UPDATE_ROOT);
        vm.assertEq(r.closeBlock, vm.getBlockNumber());
        vm.assertEq(r.deadline, deadline);
    }

    function test_abandon() public {
        uint64 round = _open();
        vm.expectEmit();
        emit IRoundLedger.RoundAbandoned(round);
        vm.prank(AGGREGATOR);
        ledger.abandon(round);
        _stateIs(round, IRoundLedger.State.Void);
    }

    function test_byNoAggregator() public {
        uint64 round = _open();
        address[3] memory others = [STRANGER, ADMIN, GUARDIAN];
        for (uint256 i; i < others.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IRoundLedger.NotTheAggregator.selector, others[i], AGGREGATOR);
            vm.startPrank(others[i]);
            vm.expectRevert(reason);
            ledger.close(round, UPDATE_ROOT, 0);
            vm.expectRevert(reason);
            ledger.abandon(round);
            vm.stopPrank();
        }
    }

    function test_close_withoutRoot() public {
        uint64 round = _open();
        vm.expectRevert(IRoundLedger.NoRoot.selector);
        vm.prank(AGGREGATOR);
        ledger.close(round, 0, 0);
    }

    function test_close_earlyIsNoted() public {
        uint64 early = _open();
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME - 1);
        _close(early);
        vm.assertTrue(ledger.roundOf(early).closedEarly);
        _wait(PROPOSE_DEADLINE);
        uint64 inTime = _open();
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _close(inTime);
        vm.assertFalse(ledger.roundOf(inTime).closedEarly);
    }

    function test_inAnyOtherState() public {
        _bothRefused(1, IRoundLedger.State.None);
        uint64 round = _openAndClose();
        _bothRefused(round, IRoundLedger.State.Closed);
        _propose(round, "");
        _bothRefused(round, IRoundLedger.State.Proposed);
        _wait(WINDOW);
        _bothRefused(round, IRoundLedger.State.Final);
        _bothRefused(_void(), IRoundLedger.State.Void);
    }

    function _bothRefused(uint64 round, IRoundLedger.State state) private {
        bytes memory reason = abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, state);
        vm.startPrank(AGGREGATOR);
        vm.expectRevert(reason);
        ledger.close(round, UPDATE_ROOT, 0);
        vm.expectRevert(reason);
        ledger.abandon(round);
        vm.stopPrank();
    }
}
