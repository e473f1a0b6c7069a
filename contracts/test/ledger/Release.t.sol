// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// release
// ├── a round that may yet pay, or does: reverts
// ├── the genesis, or a round that never opened: reverts
// ├── a Void round, timed out Open, timed out Closed or abandoned: gives back its pool, once
// └── a Final round with all scores zero: gives back its pool, once
contract ReleaseTest is BaseTest {
    function _refused(uint64 round) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NothingToRelease.selector, round));
        ledger.release(round);
    }

    function _releasedOnce(uint64 round) private {
        uint256 before = ledger.reserved();
        vm.expectEmit();
        emit IRoundLedger.ReservationReleased(round, RESERVED);
        vm.prank(STRANGER);
        ledger.release(round);
        vm.assertEq(ledger.reserved(), before - RESERVED);
        vm.assertTrue(ledger.roundOf(round).released);
        _refused(round);
        vm.assertEq(ledger.reserved(), before - RESERVED);
    }

    function test_genesisAndUnopened() public {
        _open();
        _refused(0);
        _refused(2);
    }

    function test_undecidedAndPaying() public {
        _joinMany(3);
        uint64 round = _open();
        _refused(round);
        _close(round);
        _refused(round);
        _mine(1);
        _propose(round, _scores(1, 1));
        _refused(round);
        _wait(WINDOW);
        _refused(round);
    }

    function test_void() public {
        uint64 openTooLong = _void();
        uint64 closedTooLong = _openAndClose();
        _wait(PROPOSE_DEADLINE);
        uint64 abandoned = _open();
        vm.prank(AGGREGATOR);
        ledger.abandon(abandoned);
        vm.assertEq(ledger.reserved(), 3 * RESERVED);
        _releasedOnce(openTooLong);
        _releasedOnce(closedTooLong);
        _releasedOnce(abandoned);
        vm.assertEq(ledger.reserved(), 0);
    }

    function test_allScoresZero() public {
        uint64 round = _openAndClose();
        _propose(round, "");
        _refused(round);
        _wait(WINDOW);
        _releasedOnce(round);
    }
}
