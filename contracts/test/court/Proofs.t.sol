// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ICourt} from "../../interfaces/ICourt.sol";
import {INodeRegistry} from "../../interfaces/INodeRegistry.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

// proofs about the update tree
// ├── an honest round: nothing can be proved
// ├── two updates of a node: the node loses its stake, the prover gets the fee, the round stands
// │   ├── the same update, other rounds, inputs or nodes, another's signature, a round to come: reverts
// │   └── while unbonding: its stake is still lost; after the withdrawal: reverts
// ├── a receipt whose slot holds something else, or nothing: the aggregator loses its bond, half of it to the node
// │   ├── of somebody else's signature, overridden on chain, or a round without a root: reverts
// │   ├── of a history that was rolled back: with other inputs, another key, or of who is not eligible: reverts
// │   └── the round is Void, unless it was Final
// ├── a commitment on chain that the tree does not hold: likewise
// ├── an early close with an eligible node's slot empty: likewise; in time, or not eligible: reverts
// └── an update that its node's key did not sign, or of another round, node or inputs: likewise
contract UpdateProofsTest is CourtTest {
    function test_honest_nothingCanBeProved() public {
        uint64 round = _proposed();
        for (uint32 node; node < NODES; ++node) {
            TypedData.Update memory update = _update(round, node);
            bytes memory signed = _signUpdate(update);
            bytes memory receipt = _receipt(update, signed);
            bytes32[] memory siblings = _siblings(node);
            _notAFault();
            court.proveBrokenReceipt(update, signed, receipt, updates[node], siblings, closeHash);
            _notAFault();
            court.proveMissingCommit(round, node, updates[node], siblings, closeHash);
            _notAFault();
            court.proveForgedUpdate(round, node, update, signed, siblings, closeHash);
            _notAFault();
            court.proveDoubleUpdate(update, signed, update, signed);
        }
        bytes32[] memory empty = _siblings(NODES);
        _notAFault();
        court.proveEarlyClose(round, uint32(NODES), empty, closeHash);
    }

    // ----------------------------------------------------------------------------------------------- double update

    function _doubled(uint64 round)
        private
        view
        returns (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b)
    {
        first = _update(round, 1);
        second = _update(round, 1);
        second.samples = 11;
        (a, b) = (_signUpdate(first), _signUpdate(second));
    }

    function test_doubleUpdate() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b) =
            _doubled(round);
        vm.expectEmit();
        emit ICourt.FaultProved(ICourt.Fault.DoubleUpdate, round, _owner(1), STRANGER);
        vm.prank(STRANGER);
        court.proveDoubleUpdate(first, a, second, b);
        vm.assertEq(registry.nodeOf(1).stake, 0);
        vm.assertEq(registry.owed(STRANGER), PROOF_FEE);
        vm.assertEq(address(0).balance, STAKE - PROOF_FEE);
        vm.assertFalse(registry.eligible(1, round + 1));
        vm.assertTrue(registry.eligible(1, round));
        _stateIs(round, IRoundLedger.State.Proposed);
        registry.collect(STRANGER);
        vm.assertEq(STRANGER.balance, PROOF_FEE);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyPunished.selector, round, _owner(1)));
        court.proveDoubleUpdate(first, a, second, b);
        _joinAs(_owner(1), vm.addr(0x7777), _payout(1));
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyPunished.selector, round, _owner(1)));
        court.proveDoubleUpdate(second, b, first, a);
    }

    function test_doubleUpdate_accusingOneselfDoesNotPay() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b) =
            _doubled(round);
        vm.prank(_owner(1));
        court.proveDoubleUpdate(first, a, second, b);
        registry.collect(_owner(1));
        vm.assertLe(_owner(1).balance, STAKE / 2);
    }

    function test_doubleUpdate_reachesTheUnbonding() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b) =
            _doubled(round);
        vm.prank(_owner(1));
        registry.leaveFederation();
        vm.warp(vm.getBlockTimestamp() + UNBONDING - 1);
        court.proveDoubleUpdate(first, a, second, b);
        vm.warp(vm.getBlockTimestamp() + 1);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NotLeaving.selector, 1));
        registry.withdraw(1);
    }

    function test_doubleUpdate_afterTheWithdrawal() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b) =
            _doubled(round);
        vm.prank(_owner(1));
        registry.leaveFederation();
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        registry.withdraw(1);
        vm.expectRevert(abi.encodeWithSelector(INodeRegistry.NothingToSlash.selector, 1));
        court.proveDoubleUpdate(first, a, second, b);
    }

    function test_doubleUpdate_ofOtherSubjects() public {
        uint64 round = _proposed();
        for (uint256 field; field < 3; ++field) {
            (TypedData.Update memory first, bytes memory a, TypedData.Update memory second,) = _doubled(round);
            if (field == 0) second.round = round + 1;
            if (field == 1) second.node = 2;
            if (field == 2) second.inputs = keccak256("a chain that was rolled back");
            bytes memory b = _sign(_nodeKey(1), TypedData.hash(second));
            vm.expectRevert(ICourt.DifferentSubjects.selector);
            court.proveDoubleUpdate(first, a, second, b);
        }
    }

    function test_doubleUpdate_signedByAnother() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b) =
            _doubled(round);
        bytes memory forged = _sign(0xbad, TypedData.hash(second));
        bytes memory reason = abi.encodeWithSelector(ICourt.WrongSigner.selector, vm.addr(0xbad), vm.addr(_nodeKey(1)));
        vm.expectRevert(reason);
        court.proveDoubleUpdate(first, a, second, forged);
        forged = _sign(0xbad, TypedData.hash(first));
        vm.expectRevert(reason);
        court.proveDoubleUpdate(first, forged, second, b);
    }

    function test_doubleUpdate_ofARoundToCome() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second, bytes memory b) =
            _doubled(round + 1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingToProve.selector, round + 1));
        court.proveDoubleUpdate(first, a, second, b);
    }

    // ---------------------------------------------------------------------------------------------------- receipts

    function test_brokenReceipt() public {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, 1);
        bytes memory signature = _signUpdate(update);
        bytes memory receipt = _receipt(update, signature);
        updates[1] = 0;
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(1);
        vm.expectEmit();
        emit ICourt.FaultProved(ICourt.Fault.BrokenReceipt, round, _aggregator(), STRANGER);
        vm.prank(STRANGER);
        court.proveBrokenReceipt(update, signature, receipt, 0, siblings, closeHash);
        _aggregatorLost(_owner(1), AGGREGATOR_BOND / 2);
        _stateIs(round, IRoundLedger.State.Void);
        vm.expectRevert(abi.encodeWithSelector(ICourt.AlreadyPunished.selector, round, _aggregator()));
        court.proveBrokenReceipt(update, signature, receipt, 0, siblings, closeHash);
    }

    /// @dev The price of the aggregator's own node does not buy it a round without proofs.
    function test_brokenReceipt_ofAnAggregatorPunishedAsANode() public {
        _joinAs(_aggregator(), vm.addr(_nodeKey(NODES)), _payout(NODES));
        uint64 round = _openWithUpdates();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        TypedData.Update memory first = _update(round, uint32(NODES));
        TypedData.Update memory second = _update(round, uint32(NODES));
        second.samples = 11;
        bytes memory a = _signUpdate(first);
        bytes memory b = _signUpdate(second);
        vm.prank(_aggregator());
        court.proveDoubleUpdate(first, a, second, b);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        court.proveBrokenReceipt(update, signature, receipt, updates[1], _siblings(1), closeHash);
        vm.assertEq(registry.owed(_owner(1)), AGGREGATOR_BOND / 2);
        _stateIs(round, IRoundLedger.State.Void);
    }

    function test_brokenReceipt_ofAFinalRound() public {
        uint64 round = _openWithUpdates();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        _honestOutcome(round);
        _proposeOutcome(round);
        _wait(WINDOW);
        court.proveBrokenReceipt(update, signature, receipt, updates[1], _siblings(1), closeHash);
        _aggregatorLost(_owner(1), AGGREGATOR_BOND / 2);
        _stateIs(round, IRoundLedger.State.Final);
    }

    function test_brokenReceipt_reachesTheUnbonding() public {
        uint64 round = _openWithUpdates();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        vm.prank(_aggregator());
        registry.unbond();
        vm.warp(vm.getBlockTimestamp() + UNBONDING - 1);
        court.proveBrokenReceipt(update, signature, receipt, updates[1], _siblings(1), closeHash);
        _aggregatorLost(_owner(1), AGGREGATOR_BOND / 2);
    }

    function test_brokenReceipt_signedByAnother() public {
        uint64 round = _proposed();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        bytes32 promised = keccak256(abi.encode(TypedData.RECEIPT_TYPEHASH, round, 1, _leafOf(update)));
        bytes memory forged = _sign(0xbad, promised);
        bytes32[] memory siblings = _siblings(1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongSigner.selector, vm.addr(0xbad), _aggregator()));
        court.proveBrokenReceipt(update, signature, forged, updates[1], siblings, closeHash);
        update.samples += 1; // not what the receipt is for
        vm.expectPartialRevert(ICourt.WrongSigner.selector);
        court.proveBrokenReceipt(update, signature, receipt, updates[1], siblings, closeHash);
    }

    /// @dev The chain forgets a round, and it is opened again with other inputs, or its roster has changed: a receipt of before
    /// is none of this round, whatever it holds.
    function test_brokenReceipt_ofAHistoryThatWasRolledBack() public {
        uint256 snapshot = vm.snapshotState();
        uint64 round = _openWithUpdates();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        for (uint256 change; change < 3; ++change) {
            vm.revertToState(snapshot);
            vm.startPrank(change == 0 ? _aggregator() : _owner(1));
            if (change == 0) ledger.open(0, keccak256("other shards"), ROOT_SET);
            if (change == 1) registry.rotateKey(_key(1));
            if (change == 2) registry.leaveFederation();
            vm.stopPrank();
            if (change != 0) vm.assertEq(_open(), round);
            delete updates;
            vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
            _closeOverUpdates(round);
            bytes32[] memory siblings = _siblings(1);
            _notAFault();
            court.proveBrokenReceipt(update, signature, receipt, 0, siblings, closeHash);
        }
    }

    function test_brokenReceipt_ofARoundWithoutARoot() public {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, 1);
        bytes memory signature = _signUpdate(update);
        bytes memory receipt = _receipt(update, signature);
        vm.prank(_aggregator());
        ledger.abandon(round);
        bytes32[] memory siblings = _siblings(1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NothingToProve.selector, round));
        court.proveBrokenReceipt(update, signature, receipt, 0, siblings, closeHash);
    }

    /// @dev An inner node, another position or a path of another length opens nothing.
    function test_brokenReceipt_wrongOpenings() public {
        uint64 round = _proposed();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        bytes32[] memory siblings = _siblings(1);
        bytes32 seed = ledger.roundOf(round).seed;
        bytes32 other = TypedData.seed(ledger.federation(), round, Trees.root(0, 1, siblings, 13), closeHash);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongRoot.selector, other, seed));
        court.proveBrokenReceipt(update, signature, receipt, 0, siblings, closeHash);
        bytes32[] memory shorter = new bytes32[](12);
        for (uint256 i; i < 12; ++i) {
            shorter[i] = siblings[i + 1];
        }
        bytes32 inner = keccak256(abi.encodePacked(hex"01", updates[0], updates[1]));
        vm.expectRevert(abi.encodeWithSelector(Trees.BadPosition.selector, 1, 13));
        court.proveBrokenReceipt(update, signature, receipt, inner, shorter, closeHash);
        update.node = 8192;
        receipt = _receipt(update, signature);
        siblings = _siblings(0);
        vm.expectRevert(abi.encodeWithSelector(Trees.BadPosition.selector, 8192, 13));
        court.proveBrokenReceipt(update, signature, receipt, updates[0], siblings, closeHash);
    }

    function test_receipt_overriddenOnChain() public {
        uint64 round = _openWithUpdates();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 1);
        TypedData.Update memory onChain = _update(round, 1);
        ledger.commit(onChain, _signUpdate(onChain));
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(1);
        vm.expectRevert(abi.encodeWithSelector(ICourt.ReceiptOverridden.selector, round, 1));
        court.proveBrokenReceipt(update, signature, receipt, updates[1], siblings, closeHash);
        _notAFault();
        court.proveMissingCommit(round, 1, updates[1], siblings, closeHash);
    }

    // ----------------------------------------------------------------------------------- commitments and early close

    function test_missingCommit() public {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, 1);
        ledger.commit(update, _signUpdate(update));
        updates[1] = 0;
        _closeOverUpdates(round);
        court.proveMissingCommit(round, 1, 0, _siblings(1), closeHash);
        _aggregatorLost(_owner(1), AGGREGATOR_BOND / 2);
        _stateIs(round, IRoundLedger.State.Void);
    }

    /// @dev What the tree holds is opened, not said: neither another leaf nor another root counts as what it holds.
    function test_missingCommit_wrongOpenings() public {
        uint64 round = _openWithUpdates();
        TypedData.Update memory update = _update(round, 1);
        ledger.commit(update, _signUpdate(update));
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(1);
        bytes32 other = Trees.root(0, 1, siblings, 13);
        vm.expectRevert(abi.encodeWithSelector(ICourt.WrongRoot.selector, other, updateRoot));
        court.proveMissingCommit(round, 1, 0, siblings, closeHash);
        _honestOutcome(round);
        _proposeOutcome(round);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveMissingCommit(round, 1, 0, siblings, closeHash);
        _notAFault();
        court.proveMissingCommit(round, 1, updates[1], siblings, closeHash);
    }

    function test_missingCommit_ofNoCommit() public {
        uint64 round = _openWithUpdates();
        updates[1] = 0;
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(1);
        _notAFault();
        court.proveMissingCommit(round, 1, 0, siblings, closeHash);
    }

    function test_earlyClose() public {
        uint64 round = _openWithUpdates();
        updates[2] = 0;
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME - 1);
        _closeOverUpdates(round);
        court.proveEarlyClose(round, 2, _siblings(2), closeHash);
        _aggregatorLost(_owner(2), AGGREGATOR_BOND / 2);
        _stateIs(round, IRoundLedger.State.Void);
    }

    function test_earlyClose_inTime() public {
        uint64 round = _openWithUpdates();
        updates[2] = 0;
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(2);
        _notAFault();
        court.proveEarlyClose(round, 2, siblings, closeHash);
    }

    function test_earlyClose_whenAllCommitted() public {
        uint64 round = _openWithUpdates();
        _join(7); // after the round opened, so it is not missed
        _closeOverUpdates(round);
        bytes32[] memory siblings = _siblings(3);
        vm.expectRevert(abi.encodeWithSelector(ICourt.NotEligible.selector, round, 3));
        court.proveEarlyClose(round, 3, siblings, closeHash);
        siblings = _siblings(2);
        vm.expectPartialRevert(ICourt.WrongRoot.selector);
        court.proveEarlyClose(round, 2, siblings, closeHash);
    }

    // ------------------------------------------------------------------------------------------------------ forged

    function _forge(uint32 slot, TypedData.Update memory update, bytes memory signature)
        private
        returns (uint64 round)
    {
        round = _openWithUpdates();
        update.round = update.round == 0 ? round : update.round;
        updates[slot] = Trees.updateLeaf(ledger.federation(), slot, update, signature);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        court.proveForgedUpdate(round, slot, update, signature, _siblings(slot), closeHash);
        _aggregatorLost(_owner(slot), AGGREGATOR_BOND / 2);
        _stateIs(round, IRoundLedger.State.Void);
    }

    function test_forgedUpdate_signedByAnother() public {
        TypedData.Update memory update;
        update.round = 1;
        _forge(0, update, _sign(0xbad, TypedData.hash(update)));
    }

    function test_forgedUpdate_noSignature() public {
        TypedData.Update memory update;
        update.round = 1;
        _forge(0, update, "no signature");
    }

    function test_forgedUpdate_ofAnotherRoundNodeOrInputs() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 field; field < 3; ++field) {
            TypedData.Update memory update = TypedData.Update(1, 0, 0, 0, 0, 1);
            update.inputs = field == 2 ? bytes32("others") : _inputsOfTheNext();
            if (field == 0) update.round = 9;
            if (field == 1) update.node = 1;
            _forge(0, update, _sign(_nodeKey(0), TypedData.hash(update)));
            vm.revertToState(snapshot);
        }
    }

    function _inputsOfTheNext() private returns (bytes32 inputs) {
        uint256 snapshot = vm.snapshotState();
        inputs = ledger.roundOf(_open()).inputs;
        vm.revertToState(snapshot);
    }

    /// @dev A leaf in the slot of a node that does not exist wronged nobody.
    function test_forgedUpdate_ofNobody() public {
        TypedData.Update memory update;
        update.node = uint32(NODES);
        uint64 round = _openWithUpdates();
        bytes memory signature = _sign(0xbad, TypedData.hash(update));
        updates.push(Trees.updateLeaf(ledger.federation(), NODES, update, signature));
        _closeOverUpdates(round);
        vm.prank(STRANGER);
        court.proveForgedUpdate(round, uint32(NODES), update, signature, _siblings(NODES), closeHash);
        _aggregatorLost(STRANGER, PROOF_FEE);
    }

    function test_signaturesMustBeWellFormed() public {
        uint64 round = _proposed();
        (TypedData.Update memory first, bytes memory a, TypedData.Update memory second,) = _doubled(round);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 5));
        court.proveDoubleUpdate(first, a, second, "short");
    }
}
