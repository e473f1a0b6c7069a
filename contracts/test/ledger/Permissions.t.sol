// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IBondRegistry} from "../../interfaces/IBondRegistry.sol";
import {IContributionToken} from "../../interfaces/IContributionToken.sol";
import {IGovernance} from "../../interfaces/IGovernance.sol";
import {IOfficers} from "../../interfaces/IOfficers.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// every role x every function that needs one: exactly the roles of the table may, all others are refused by name
//
//                        admin  operator  guardian  aggregator  scorer  node owner  stranger  court  ledger
//   open, close, abandon                              yes
//   announce, unpause     yes
//   pause                                   yes
//   suspend, dismiss,
//   annul, slash…                                                                              yes
//   appoint, mint                                                                                     yes
//   everything else: anybody, and none of it takes what is another's
contract PermissionsTest is BaseTest {
    struct Call {
        address target;
        bytes data;
        uint256 allowed; // a bit per actor
    }

    address[] private actors;
    Call[] private calls;

    uint256 private constant ADMINS = 1;
    uint256 private constant GUARDIANS = 4;
    uint256 private constant AGGREGATORS = 8;
    uint256 private constant COURTS = 128;
    uint256 private constant LEDGERS = 256;

    function setUp() public override {
        super.setUp();
        _joinMany(1);
        actors = [
            ADMIN,
            vm.addr(OPERATOR_KEY),
            GUARDIAN,
            AGGREGATOR,
            _scorers(4)[0],
            _owner(0),
            STRANGER,
            address(court),
            address(ledger)
        ];
        IGovernance.Terms memory terms = IGovernance.Terms("c", "t", AGGREGATOR, _scorers(4));
        _add(address(ledger), abi.encodeCall(ledger.open, (0, SHARDS, ROOT_SET)), AGGREGATORS);
        _add(address(ledger), abi.encodeCall(ledger.close, (1, UPDATE_ROOT, 0)), AGGREGATORS);
        _add(address(ledger), abi.encodeCall(ledger.abandon, (1)), AGGREGATORS);
        _add(address(ledger), abi.encodeCall(ledger.announce, (terms)), ADMINS);
        _add(address(ledger), abi.encodeCall(ledger.unpause, ()), ADMINS);
        _add(address(ledger), abi.encodeCall(ledger.grantRole, (ledger.OPERATOR_ROLE(), STRANGER)), ADMINS);
        _add(address(ledger), abi.encodeCall(ledger.revokeRole, (ledger.OPERATOR_ROLE(), STRANGER)), ADMINS);
        _add(address(ledger), abi.encodeCall(ledger.beginDefaultAdminTransfer, (STRANGER)), ADMINS);
        _add(address(ledger), abi.encodeCall(ledger.changeDefaultAdminDelay, (9 days)), ADMINS);
        _add(address(ledger), abi.encodeCall(ledger.pause, ()), GUARDIANS);
        _add(address(ledger), abi.encodeCall(ledger.suspend, (1)), COURTS);
        _add(address(ledger), abi.encodeCall(ledger.dismiss, (1)), COURTS);
        _add(address(ledger), abi.encodeCall(ledger.annul, (1)), COURTS);
        _add(address(registry), abi.encodeCall(registry.slashBond, (AGGREGATOR, STRANGER, false)), COURTS);
        _add(address(registry), abi.encodeCall(registry.slashNode, (0, STRANGER)), COURTS);
        _add(address(registry), abi.encodeCall(registry.appoint, (AGGREGATOR, _scorers(1))), LEDGERS);
        _add(address(token), abi.encodeCall(token.mint, (STRANGER, 1)), LEDGERS);
    }

    function _add(address target, bytes memory data, uint256 allowed) private {
        calls.push(Call(target, data, allowed));
    }

    function test_matrix() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < calls.length; ++i) {
            for (uint256 actor; actor < actors.length; ++actor) {
                // Every call is tried in a state in which the right role succeeds.
                if (bytes4(calls[i].data) != ledger.open.selector) _open();
                if (bytes4(calls[i].data) == ledger.suspend.selector) {
                    _close(1);
                    _mine(1);
                    _propose(1, "");
                }
                vm.prank(actors[actor]);
                (bool success, bytes memory reason) = calls[i].target.call(calls[i].data);
                bool allowed = (calls[i].allowed >> actor) & 1 == 1;
                vm.assertTrue(success == allowed);
                if (!allowed) vm.assertTrue(_isRefusal(bytes4(reason)));
                vm.revertToState(snapshot);
            }
        }
    }

    function _isRefusal(bytes4 reason) private pure returns (bool) {
        return reason == IOfficers.NotTheAggregator.selector || reason == IRoundLedger.NotTheAggregator.selector
            || reason == IAccessControl.AccessControlUnauthorizedAccount.selector
            || reason == IRoundLedger.NotTheCourt.selector || reason == IBondRegistry.NotTheCourt.selector
            || reason == IOfficers.NotTheLedger.selector || reason == IContributionToken.NotTheLedger.selector;
    }

    function test_admin_isReplacedInTwoStepsWithADelay() public {
        vm.prank(ADMIN);
        ledger.beginDefaultAdminTransfer(STRANGER);
        vm.startPrank(STRANGER);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        (bool success,) = address(ledger).call(abi.encodeCall(ledger.acceptDefaultAdminTransfer, ()));
        vm.assertFalse(success);
        vm.warp(vm.getBlockTimestamp() + 1);
        ledger.acceptDefaultAdminTransfer();
        vm.stopPrank();
        vm.assertEq(ledger.defaultAdmin(), STRANGER);
    }

    /// @dev A pause stops the next round and nothing else: the round under way, claims, stakes and bonds go on.
    function test_pause_stopsNewRoundsOnly() public {
        uint64 round = _open();
        vm.expectEmit();
        emit IGovernance.Paused(GUARDIAN);
        vm.prank(GUARDIAN);
        ledger.pause();
        _close(round);
        _mine(1);
        _propose(round, abi.encodePacked(uint24(SCORES)));
        _wait(WINDOW);
        ledger.claim(0, _one(round));
        vm.prank(_owner(0));
        registry.leaveFederation();
        vm.prank(AGGREGATOR);
        registry.unbond();
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        registry.withdraw(0);
        registry.withdrawBond(AGGREGATOR);
        vm.prank(AGGREGATOR);
        vm.expectRevert(IRoundLedger.OpeningPaused.selector);
        ledger.open(round, SHARDS, ROOT_SET);
        vm.expectEmit();
        emit IGovernance.Unpaused(ADMIN);
        vm.prank(ADMIN);
        ledger.unpause();
        vm.deal(address(this), AGGREGATOR_BOND);
        registry.depositBond{value: AGGREGATOR_BOND}(AGGREGATOR);
        _open();
    }
}

// scorerPool
// ├── of a paying Final round: in equal parts to the signers, once
// └── of a round without scores, not Final, or to who did not sign: nothing
contract ScorerPoolTest is BaseTest {
    function test_equalPartsToTheSigners() public {
        _joinMany(3);
        uint64 round = _settle(_scores(1, 2));
        for (uint256 i; i < 3; ++i) {
            address scorer = vm.addr(_scorerKey(i));
            vm.expectEmit();
            emit IRoundLedger.ScorerRewardsClaimed(scorer, _one(round), SCORER_POOL / 3);
            vm.prank(STRANGER);
            vm.assertEq(ledger.claimScorer(scorer, _one(round)), SCORER_POOL / 3);
            vm.assertEq(token.balanceOf(scorer), SCORER_POOL / 3);
            vm.assertTrue(ledger.scorerClaimed(scorer, round));
            vm.expectRevert(abi.encodeWithSelector(IRoundLedger.AlreadyClaimed.selector, round));
            ledger.claimScorer(scorer, _one(round));
        }
        address silent = vm.addr(_scorerKey(3));
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NothingToClaimFor.selector, silent));
        ledger.claimScorer(silent, _one(round));
        vm.expectRevert(abi.encodeWithSelector(IOfficers.NotAScorer.selector, STRANGER));
        ledger.claimScorer(STRANGER, _one(round));
    }

    function test_ofARoundThatPaysNobody() public {
        uint64 round = _openAndClose();
        _propose(round, "");
        address scorer = vm.addr(_scorerKey(0));
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NotFinal.selector, round));
        ledger.claimScorer(scorer, _one(round));
        _wait(WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NothingToClaimFor.selector, scorer));
        ledger.claimScorer(scorer, _one(round));
    }
}

// pipelined rounds: a round whose parent is pending
// ├── is Final when its own window is over and its parent is Final, not before
// └── is Void when its parent is, whatever state it was in, and nothing of it can go on
contract PendingTest is BaseTest {
    function test_waitsForItsParent() public {
        uint64 first = _openAndClose();
        _propose(first, "");
        uint256 longer = vm.getBlockTimestamp() + WINDOW;
        vm.prank(address(court));
        ledger.suspend(first);
        uint64 second = _openAndClose();
        _propose(second, "");
        vm.warp(longer);
        _stateIs(first, IRoundLedger.State.Disputed);
        _stateIs(second, IRoundLedger.State.Proposed);
        vm.prank(address(court));
        ledger.dismiss(first);
        _stateIs(second, IRoundLedger.State.Proposed);
        _wait(3 * VOTE);
        _stateIs(first, IRoundLedger.State.Final);
        _stateIs(second, IRoundLedger.State.Final);
        // A Final round never changes.
        vm.startPrank(address(court));
        ledger.annul(first);
        ledger.dismiss(first);
        vm.stopPrank();
        _stateIs(first, IRoundLedger.State.Final);
    }

    function test_fallsWithItsParent_inEveryState() public {
        uint64 first = _openAndClose();
        _propose(first, "");
        uint256 snapshot = vm.snapshotState();
        for (uint256 state; state < 4; ++state) {
            uint64 second = _open();
            if (state > 0) _close(second);
            _mine(1);
            if (state > 1) _propose(second, "");
            vm.startPrank(address(court));
            if (state > 2) ledger.suspend(second);
            ledger.annul(first);
            ledger.annul(first); // again changes nothing
            vm.stopPrank();
            _stateIs(first, IRoundLedger.State.Void);
            _stateIs(second, IRoundLedger.State.Void);
            _wait(UNBONDING);
            _stateIs(second, IRoundLedger.State.Void);
            vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, second, IRoundLedger.State.Void));
            _close(second);
            ledger.release(second);
            uint64 third = _open();
            vm.assertEq(ledger.roundOf(third).parent, 0);
            vm.revertToState(snapshot);
        }
    }

    function test_suspend_onlyProposedRounds() public {
        uint64 round = _open();
        vm.prank(address(court));
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, IRoundLedger.State.Open));
        ledger.suspend(round);
    }
}
