// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BondRegistry} from "../../BondRegistry.sol";
import {IBondRegistry} from "../../interfaces/IBondRegistry.sol";
import {IGovernance} from "../../interfaces/IGovernance.sol";
import {IOfficers} from "../../interfaces/IOfficers.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "../utils/BaseTest.sol";

// bonds
// ├── opening by an aggregator without a bond, or with too few bonded scorers: reverts
// ├── unbonding: does not count from the next round on, and comes back after its time; twice, or of nobody: reverts
// ├── depositing
// │   ├── for nobody appointed, or not exactly what is missing: reverts
// │   └── for somebody who unbonds: only by itself, and it ends the unbonding
// └── appointing: keeps the bonds of who stays, takes those of nobody, and the round that is open keeps its people
contract BondsTest is BaseTest {
    function _scorer(uint256 i) private pure returns (address) {
        return _scorers(4)[i];
    }

    function _unbond(address account) private {
        vm.prank(account);
        registry.unbond();
    }

    function _openRefused(bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(AGGREGATOR);
        ledger.open(0, SHARDS, ROOT_SET);
    }

    function test_opening_needsTheAggregatorsBond() public {
        uint64 round = _open();
        _unbond(AGGREGATOR);
        _close(round); // It was bonded when the round opened.
        _wait(PROPOSE_DEADLINE);
        _openRefused(abi.encodeWithSelector(IOfficers.AggregatorNotBonded.selector, AGGREGATOR));
        vm.prank(AGGREGATOR);
        registry.depositBond(AGGREGATOR);
        (, uint40 until) = registry.bondOf(AGGREGATOR);
        vm.assertEq(until, 0);
        _open();
    }

    function test_opening_needsAQuorumOfBonds() public {
        _unbond(_scorer(3));
        _openAndClose();
        vm.assertEq(registry.bondedAt(1), 7);
        _wait(PROPOSE_DEADLINE);
        _unbond(_scorer(1));
        _openRefused(abi.encodeWithSelector(IOfficers.TooFewBonds.selector, 2, 3));
        vm.assertEq(registry.bondedAt(1), 7);
        vm.assertEq(registry.bondedAt(2), 5);
    }

    function test_unbond() public {
        uint256 until = vm.getBlockTimestamp() + UNBONDING;
        vm.expectEmit();
        emit IBondRegistry.BondUnbonding(AGGREGATOR, 1, uint40(until));
        _unbond(AGGREGATOR);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NothingToUnbond.selector, AGGREGATOR));
        _unbond(AGGREGATOR);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NothingToUnbond.selector, STRANGER));
        _unbond(STRANGER);
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.BondLocked.selector, AGGREGATOR, until));
        registry.withdrawBond(AGGREGATOR);
        vm.warp(until);
        vm.prank(STRANGER);
        registry.withdrawBond(AGGREGATOR);
        vm.assertEq(AGGREGATOR.balance, AGGREGATOR_BOND);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NotUnbonding.selector, AGGREGATOR));
        registry.withdrawBond(AGGREGATOR);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NotUnbonding.selector, _scorer(0)));
        registry.withdrawBond(_scorer(0));
    }

    /// @dev A slashed bond does not count from the next round on, whether it was unbonding or not.
    function test_slash_endsCounting() public {
        uint64 round = _open();
        _unbond(_scorer(1));
        vm.startPrank(address(court));
        for (uint256 i; i < 2; ++i) {
            registry.slashBond(_scorer(i), STRANGER, false);
        }
        vm.assertEq(registry.bondedAt(round), 15);
        vm.assertEq(registry.bondedAt(round + 1), 12);
        vm.assertEq(registry.owed(STRANGER), 2 * PROOF_FEE);
        registry.slashBond(AGGREGATOR, STRANGER, true);
        vm.stopPrank();
        vm.assertEq(registry.owed(STRANGER), 2 * PROOF_FEE + AGGREGATOR_BOND / 2);
        _wait(COMMIT_DEADLINE);
        _openRefused(abi.encodeWithSelector(IOfficers.AggregatorNotBonded.selector, AGGREGATOR));
    }

    /// @dev Whoever has no bond loses none, and nothing is told of it.
    function test_slash_ofNothing() public {
        vm.recordLogs();
        vm.prank(address(court));
        registry.slashBond(STRANGER, _owner(0), true);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    /// @dev The bond of somebody who is not appointed any more unbonds, and changes nobody's count.
    function test_unbond_afterTheAppointment() public {
        address[] memory scorers = _scorers(1);
        IGovernance.Terms memory terms = _terms(AGGREGATOR, scorers);
        vm.prank(ADMIN);
        vm.warp(ledger.announce(terms));
        ledger.enact(terms);
        _unbond(_scorer(3));
        vm.assertEq(registry.bondedAt(1), 1);
        (, uint40 until) = registry.bondOf(_scorer(3));
        vm.assertEq(until, vm.getBlockTimestamp() + UNBONDING);
    }

    function test_amounts() public view {
        vm.assertEq(registry.aggregatorBond(), AGGREGATOR_BOND);
        vm.assertEq(registry.scorerBond(), SCORER_BOND);
        vm.assertEq(registry.proofFee(), PROOF_FEE);
    }

    function test_deposit_refused() public {
        vm.deal(address(this), 100 ether);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NotAppointed.selector, STRANGER));
        registry.depositBond{value: 1}(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.WrongBond.selector, 0, 0));
        registry.depositBond(AGGREGATOR);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.WrongBond.selector, 1, 0));
        registry.depositBond{value: 1}(AGGREGATOR);
        _unbond(AGGREGATOR);
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.BondIsUnbonding.selector, AGGREGATOR, address(this)));
        registry.depositBond(AGGREGATOR);
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        registry.withdrawBond(AGGREGATOR);
        for (uint256 sent = AGGREGATOR_BOND - 1; sent <= AGGREGATOR_BOND + 1; sent += 2) {
            vm.expectRevert(abi.encodeWithSelector(IBondRegistry.WrongBond.selector, sent, AGGREGATOR_BOND));
            registry.depositBond{value: sent}(AGGREGATOR);
        }
        registry.depositBond{value: AGGREGATOR_BOND}(AGGREGATOR);
        _open();
    }

    function test_collect_nothing() public {
        vm.expectRevert(abi.encodeWithSelector(IBondRegistry.NothingOwed.selector, STRANGER));
        registry.collect(STRANGER);
    }

    function test_credit_isOwed() public {
        vm.deal(address(this), 1 ether);
        vm.expectEmit();
        emit IBondRegistry.Credited(STRANGER, 1 ether);
        registry.credit{value: 1 ether}(STRANGER);
        vm.assertEq(registry.owed(STRANGER), 1 ether);
        registry.collect(STRANGER);
        vm.assertEq(STRANGER.balance, 1 ether);
    }

    // --------------------------------------------------------------------------------------------------- appointing

    function _terms(address aggregator, address[] memory scorers) private pure returns (IGovernance.Terms memory) {
        return IGovernance.Terms(keccak256("config 2"), keccak256("task 2"), aggregator, scorers);
    }

    function test_terms_announcedThenEnacted() public {
        uint64 before = _openAndClose();
        address[] memory scorers = new address[](1);
        scorers[0] = _scorer(2);
        IGovernance.Terms memory terms = _terms(STRANGER, scorers);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NotAnnounced.selector, keccak256(abi.encode(terms))));
        ledger.enact(terms);
        uint40 at_ = uint40(vm.getBlockTimestamp() + 1 days);
        vm.expectEmit();
        emit IGovernance.TermsAnnounced(terms, at_);
        vm.prank(ADMIN);
        vm.assertEq(ledger.announce(terms), at_);
        vm.warp(at_ - 1);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.TooEarly.selector, at_));
        ledger.enact(terms);
        vm.warp(at_);
        terms.configHash = "another";
        vm.expectPartialRevert(IGovernance.NotAnnounced.selector);
        ledger.enact(terms);
        terms.configHash = keccak256("config 2");
        vm.expectEmit();
        emit IGovernance.TermsEnacted(terms.configHash, terms.taskHash, STRANGER, scorers);
        vm.prank(STRANGER);
        ledger.enact(terms);
        (bytes32 hashed, uint40 enactableAt) = ledger.announced();
        vm.assertEq(hashed, 0);
        vm.assertEq(enactableAt, 0);
        vm.expectPartialRevert(IGovernance.NotAnnounced.selector);
        ledger.enact(terms);

        vm.assertEq(ledger.configHash(), keccak256("config 2"));
        vm.assertEq(ledger.taskHash(), keccak256("task 2"));
        vm.assertEq(registry.aggregatorAt(before), AGGREGATOR);
        vm.assertEq(registry.aggregatorAt(before + 1), STRANGER);
        vm.assertEq(registry.scorersAt(before).length, 4);
        vm.assertEq(registry.scorersAt(before + 1).length, 1);
        vm.assertEq(registry.bondedAt(before + 1), 1); // its bond counts on
        _openRefused(abi.encodeWithSelector(IOfficers.NotTheAggregator.selector, AGGREGATOR, STRANGER));
        vm.deal(STRANGER, AGGREGATOR_BOND);
        vm.startPrank(STRANGER);
        registry.depositBond{value: AGGREGATOR_BOND}(STRANGER);
        uint64 after_ = ledger.open(0, SHARDS, ROOT_SET);
        vm.stopPrank();
        vm.assertEq(registry.bondedAt(before), 15);
        vm.assertEq(after_, before + 1);
        // Who was replaced gets the bond back like anybody.
        _unbond(AGGREGATOR);
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        registry.withdrawBond(AGGREGATOR);
        vm.assertEq(AGGREGATOR.balance, AGGREGATOR_BOND);
    }

    function test_terms_aNodeCannotBecomeAScorer() public {
        _join(0);
        IGovernance.Terms memory terms = _announceScorer(_owner(0));
        vm.expectRevert(abi.encodeWithSelector(IOfficers.BadScorer.selector, _owner(0)));
        ledger.enact(terms);
    }

    function test_terms_nobodyKeepsAScorerOutByBindingItsKey() public {
        _join(0);
        IGovernance.Terms memory terms = _announceScorer(STRANGER);
        vm.prank(_owner(0));
        registry.rotateKey(STRANGER);
        ledger.enact(terms);
        vm.deal(STRANGER, SCORER_BOND);
        vm.prank(STRANGER);
        registry.depositBond{value: SCORER_BOND}(STRANGER);
        vm.assertEq(registry.scorersAt(_open())[0], STRANGER);
    }

    function _announceScorer(address scorer) private returns (IGovernance.Terms memory terms) {
        address[] memory scorers = new address[](1);
        scorers[0] = scorer;
        terms = _terms(AGGREGATOR, scorers);
        vm.prank(ADMIN);
        vm.warp(ledger.announce(terms));
    }

    function test_terms_aBondCountsOn() public {
        IGovernance.Terms memory terms = _terms(AGGREGATOR, _scorers(4));
        vm.prank(ADMIN);
        vm.warp(ledger.announce(terms));
        ledger.enact(terms);
        vm.assertEq(registry.bondedAt(1), 15);
        _open();
    }

    function test_terms_unbondingDoesNotCountAgain() public {
        _unbond(AGGREGATOR);
        IGovernance.Terms memory terms = _terms(AGGREGATOR, _scorers(4));
        vm.prank(ADMIN);
        vm.warp(ledger.announce(terms));
        ledger.enact(terms);
        _openRefused(abi.encodeWithSelector(IOfficers.AggregatorNotBonded.selector, AGGREGATOR));
    }
}

// proofFee
// └── of the least stake and of the least bond that may be: half of it, no less
contract LeastAmountsTest is BaseTest {
    uint256 private constant LEAST = SCORER_BOND;
    uint256 private constant FEE = LEAST / 2;

    function _amounts() internal pure override returns (BondRegistry.Amounts memory) {
        return BondRegistry.Amounts(LEAST, AGGREGATOR_BOND, LEAST, FEE, OPEN_FEE);
    }

    function test_slash_ofTheLeastStake() public {
        TypedData.Invitation memory invitation = _invitation(address(this), 100);
        bytes memory signature = _signInvitation(OPERATOR_KEY, invitation);
        vm.deal(address(this), LEAST);
        registry.join{value: LEAST}(_key(0), _payout(0), invitation, signature);
        vm.prank(address(court));
        registry.slashNode(0, STRANGER);
        vm.assertEq(registry.owed(STRANGER), FEE);
    }

    function test_slash_ofTheLeastBond() public {
        vm.prank(address(court));
        registry.slashBond(_scorers(1)[0], STRANGER, false);
        vm.assertEq(registry.owed(STRANGER), FEE);
    }
}
