// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

// commit
// ├── a round that is not Open, or whose time to commit is over: reverts
// ├── other inputs or another base model than the round's, no samples or too many: reverts
// ├── not signed by the node's key in that round, for another chain, or not well: reverts
// ├── a second time: reverts
// └── otherwise: the leaf is kept, and close needs to know of it
contract CommitTest is CourtTest {
    uint64 private round;
    TypedData.Update private update;

    function setUp() public override {
        super.setUp();
        round = _openWithUpdates();
        update = _update(round, 1);
    }

    function _refused(bytes memory reason) private {
        bytes memory signature = _signUpdate(update);
        vm.expectRevert(reason);
        ledger.commit(update, signature);
    }

    function test_keepsTheLeaf() public {
        bytes memory signature = _signUpdate(update);
        vm.expectEmit();
        emit IRoundLedger.UpdateCommitted(round, 1, updates[1], update, signature);
        vm.prank(STRANGER);
        ledger.commit(update, signature);
        vm.assertEq(ledger.commitOf(round, 1), updates[1]);
        vm.assertEq(ledger.roundOf(round).commits, 1);
        for (uint32 counted; counted <= 2; counted += 2) {
            vm.expectRevert(abi.encodeWithSelector(IRoundLedger.CommitsMissed.selector, counted, 1));
            vm.prank(_aggregator());
            ledger.close(round, UPDATE_ROOT, counted);
        }
        vm.prank(_aggregator());
        ledger.close(round, UPDATE_ROOT, 1);
        _refused(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, IRoundLedger.State.Closed));
    }

    function test_atTheDeadline() public {
        uint40 until = ledger.roundOf(round).openedAt + COMMIT_TIME;
        vm.warp(until);
        _refused(abi.encodeWithSelector(IRoundLedger.CommitsOver.selector, round, until));
        vm.warp(until - 1);
        ledger.commit(update, _signUpdate(update));
    }

    function test_twice() public {
        ledger.commit(update, _signUpdate(update));
        update.samples = 11;
        _refused(abi.encodeWithSelector(IRoundLedger.AlreadyCommitted.selector, round, 1));
    }

    function test_toSomethingElse() public {
        bytes32 right = update.inputs;
        update.inputs = "other";
        _refused(abi.encodeWithSelector(IRoundLedger.WrongInputs.selector, bytes32("other"), right));
        update.inputs = right;
        right = update.baseModel;
        update.baseModel = "other";
        _refused(abi.encodeWithSelector(IRoundLedger.WrongBase.selector, bytes32("other"), right));
        update.baseModel = right;
        update.samples = 0;
        _refused(abi.encodeWithSelector(IRoundLedger.WrongSamples.selector, 0, 100));
        update.samples = 101;
        _refused(abi.encodeWithSelector(IRoundLedger.WrongSamples.selector, 101, 100));
        update.samples = 100;
        ledger.commit(update, _signUpdate(update));
    }

    function test_byTheWrongKey() public {
        bytes memory forged = _sign(0xbad, TypedData.hash(update));
        address key = vm.addr(_nodeKey(1));
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.NotTheNodesKey.selector, vm.addr(0xbad), key));
        ledger.commit(update, forged);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 5));
        ledger.commit(update, "short");
        bytes memory signature = _signUpdate(update);
        vm.chainId(31_338);
        vm.expectPartialRevert(IRoundLedger.NotTheNodesKey.selector);
        ledger.commit(update, signature);
    }

    function test_ofANodeThatJoinedLater() public {
        _joinAs(_owner(3), vm.addr(_nodeKey(3)), _payout(3));
        update = _update(round, 3);
        _refused(abi.encodeWithSelector(IRoundLedger.NotTheNodesKey.selector, vm.addr(_nodeKey(3)), address(0)));
    }
}

// seal
// ├── a round that is not Closed, twice, in the block of close or after 256 blocks: reverts
// └── otherwise: the seed is kept, and the round can be proposed whenever
contract SealTest is CourtTest {
    function test_keepsTheSeed() public {
        uint64 round = _closed();
        bytes32 seed = _seed(round);
        vm.expectEmit();
        emit IRoundLedger.RoundSealed(round, seed);
        vm.prank(STRANGER);
        ledger.seal(round);
        vm.assertEq(ledger.roundOf(round).seed, seed);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.AlreadySealed.selector, round));
        ledger.seal(round);
        _mine(1000);
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal("evidence", "model", "");
        TypedData.Attestation memory attestation =
            TypedData.Attestation(round, seed, "evidence", keccak256(""), "model");
        bytes[] memory attestations = new bytes[](3);
        for (uint256 i; i < 3; ++i) {
            attestations[i] = _sign(_scorerKey(i), TypedData.hash(attestation));
        }
        ledger.propose(round, proposal, attestations);
        vm.assertEq(ledger.roundOf(round).seed, seed);
    }

    function test_refused() public {
        uint64 round = _openWithUpdates();
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongState.selector, round, IRoundLedger.State.Open));
        ledger.seal(round);
        _closeOverUpdates(round);
        uint64 closeBlock = ledger.roundOf(round).closeBlock;
        vm.roll(closeBlock);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.SeedNotReady.selector, closeBlock));
        ledger.seal(round);
        vm.roll(closeBlock + 257);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.SeedExpired.selector, closeBlock));
        ledger.seal(round);
        vm.roll(closeBlock + 256);
        ledger.seal(round);
    }
}
