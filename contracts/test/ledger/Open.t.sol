// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOfficers} from "../../interfaces/IOfficers.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// open
// ├── by anybody but the aggregator, the admin included: reverts
// ├── the last round is Open or Closed: reverts
// ├── as many rounds are pending as may be: reverts
// ├── the last round has an outcome: it is the only parent
// ├── the last rounds are Void: the last that is not is the only parent
// ├── the cap holds no further pool: reverts, until one is released
// └── otherwise: bound to everything, the pool reserved
contract OpenTest is BaseTest {
    function _openWith(uint64 parent) private {
        vm.prank(AGGREGATOR);
        ledger.open(parent, SHARDS, ROOT_SET);
    }

    function test_byNoAggregator() public {
        address[3] memory others = [STRANGER, ADMIN, GUARDIAN];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IOfficers.NotTheAggregator.selector, others[i], AGGREGATOR));
            vm.prank(others[i]);
            ledger.open(0, SHARDS, ROOT_SET);
        }
    }

    function test_bindsEverything() public {
        _joinMany(3);
        bytes memory preimage = abi.encode(
            uint32(1), uint64(0), keccak256("config"), keccak256("task"), GENESIS_MODEL, bytes32(0), SHARDS, ROOT_SET
        );
        uint40 deadline = uint40(vm.getBlockTimestamp()) + COMMIT_DEADLINE;
        vm.expectEmit();
        emit IRoundLedger.RoundOpened(
            1,
            0,
            keccak256(preimage),
            keccak256("config"),
            keccak256("task"),
            GENESIS_MODEL,
            0,
            SHARDS,
            ROOT_SET,
            3,
            deadline
        );
        vm.assertEq(_open(), 1);

        IRoundLedger.Round memory r = ledger.roundOf(1);
        _stateIs(1, IRoundLedger.State.Open);
        vm.assertEq(r.parent, 0);
        vm.assertEq(r.inputs, keccak256(preimage));
        vm.assertEq(r.openedAt, vm.getBlockTimestamp());
        vm.assertEq(r.deadline, deadline);
        vm.assertEq(r.nodeCount, 3);
        vm.assertEq(ledger.lastRound(), 1);
        vm.assertEq(ledger.reserved(), RESERVED);
        _stateIs(2, IRoundLedger.State.None);
    }

    function test_bindsTheParentsOutcome() public {
        uint64 parent = _settle("");
        uint64 round = _open();
        bytes memory preimage = abi.encode(
            uint32(1),
            parent,
            keccak256("config"),
            keccak256("task"),
            keccak256("model"),
            keccak256("evidence"),
            SHARDS,
            ROOT_SET
        );
        vm.assertEq(ledger.roundOf(round).inputs, keccak256(preimage));
        vm.assertEq(ledger.roundOf(round).parent, parent);
    }

    function test_whileTheLastRoundIsUndecided() public {
        uint64 round = _open();
        _undecided(round, IRoundLedger.State.Open);
        _close(round);
        _mine(1);
        _undecided(round, IRoundLedger.State.Closed);
        _propose(round, "");
        vm.assertEq(ledger.latestFinal(), 0);
        vm.assertEq(ledger.tip(), round);
        vm.assertEq(_open(), round + 1);
    }

    function test_pending() public {
        uint64 first = _openAndClose();
        _propose(first, "");
        uint64 second = _openAndClose();
        _propose(second, "");
        vm.assertEq(ledger.roundOf(second).parent, first);
        vm.assertEq(ledger.roundOf(second).ancestor, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.TooManyPending.selector, MAX_PENDING, MAX_PENDING));
        _openWith(second);
        _wait(WINDOW);
        vm.assertEq(ledger.latestFinal(), second);
        uint64 third = _open();
        vm.assertEq(ledger.roundOf(third).ancestor, second);
    }

    function _undecided(uint64 round, IRoundLedger.State state) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.RoundUndecided.selector, round, state));
        _openWith(0);
    }

    function test_afterVoid_continuesTheLatestFinal() public {
        uint64 parent = _settle("");
        _void();
        uint64 abandoned = _open();
        vm.prank(AGGREGATOR);
        ledger.abandon(abandoned);
        vm.assertEq(ledger.latestFinal(), parent);
        uint64[3] memory others = [uint64(0), abandoned, abandoned + 1];
        ledger.release(abandoned);
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongParent.selector, parent));
            _openWith(others[i]);
        }
        _openWith(parent);
        vm.assertEq(ledger.roundOf(abandoned + 1).parent, parent);
    }

    function test_cap() public {
        uint64 first = _settle("");
        for (uint256 i; i < 3; ++i) {
            _settle("");
        }
        uint64 parent = ledger.latestFinal();
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.CapReached.selector, CAP, RESERVED, CAP));
        _openWith(parent);
        ledger.release(first);
        _openWith(parent);
        vm.assertEq(ledger.reserved(), CAP);
    }
}
