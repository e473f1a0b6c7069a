// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// a second before a deadline the state lasts; at the deadline, after it and for ever its time is over
// ├── Open becomes Void
// ├── Closed becomes Void
// └── Proposed becomes Final
contract DeadlinesTest is BaseTest {
    function _lasts(uint64 round, uint256 time, IRoundLedger.State state, IRoundLedger.State next) private {
        uint256 deadline = ledger.roundOf(round).deadline;
        vm.assertEq(deadline, vm.getBlockTimestamp() + time);
        vm.warp(deadline - 1);
        _stateIs(round, state);
        vm.warp(deadline);
        _stateIs(round, next);
        vm.warp(deadline + 1);
        _stateIs(round, next);
        vm.warp(type(uint40).max);
        _stateIs(round, next);
        vm.warp(deadline - 1);
    }

    function test_open() public {
        uint64 round = _open();
        _lasts(round, COMMIT_DEADLINE, IRoundLedger.State.Open, IRoundLedger.State.Void);
        _close(round);
        _stateIs(round, IRoundLedger.State.Closed);
    }

    function test_open_closedTooLate() public {
        uint64 round = _void();
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, IRoundLedger.State.Void));
        _close(round);
    }

    function test_closed() public {
        uint64 round = _openAndClose();
        _lasts(round, PROPOSE_DEADLINE, IRoundLedger.State.Closed, IRoundLedger.State.Void);
        _propose(round, "");
        _stateIs(round, IRoundLedger.State.Proposed);
    }

    function test_closed_proposedTooLate() public {
        uint64 round = _openAndClose();
        IRoundLedger.Proposal memory proposal = _proposal("");
        bytes[] memory attestations = _attest(round, proposal, QUORUM);
        _wait(PROPOSE_DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, IRoundLedger.State.Void));
        ledger.propose(round, proposal, attestations);
    }

    function test_proposed() public {
        uint64 round = _openAndClose();
        _propose(round, "");
        _lasts(round, WINDOW, IRoundLedger.State.Proposed, IRoundLedger.State.Final);
    }
}
