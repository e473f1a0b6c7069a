// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Evidence} from "../../libraries/Evidence.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";

/// @notice Every function of the court: a proof succeeds exactly when something was tampered with, whatever else it is given.
/// forge-config: default.fuzz.runs = 32
/// forge-config: soak.fuzz.runs = 2000
contract CourtFuzzTest is CourtTest {
    function _try(address caller, uint256 value, bytes memory data) private returns (bool success) {
        vm.deal(caller, value);
        vm.prank(caller);
        (success,) = address(court).call{value: value}(data);
    }

    /// @dev A proof succeeds exactly when it should; if not, the aggregator keeps its bond.
    function _proof(bool may, bytes memory data) private {
        vm.assertTrue(_try(STRANGER, 0, data) == may);
        vm.assertEq(_held(_aggregator()), may ? 0 : AGGREGATOR_BOND);
    }

    /// @dev `word` in most cases, now and then `other`.
    function _mostly(bytes32 word, bytes32 other, uint256 choice) private pure returns (bytes32) {
        return choice % 4 == 0 ? other : word;
    }

    function testFuzz_proveDoubleUpdate(uint32 node, uint32 samples, uint256 key, uint64 shift, bool sameInputs)
        public
    {
        uint64 round = _proposed();
        node %= uint32(NODES);
        TypedData.Update memory first = _update(round, node);
        TypedData.Update memory second = _update(round, node);
        second.samples = samples;
        second.round += shift % 2;
        if (!sameInputs) second.inputs = "others";
        bool own = key % 3 != 0;
        bytes memory a = _signUpdate(first);
        bytes memory b = own ? _signUpdate(second) : _sign(1 + key % type(uint128).max, TypedData.hash(second));
        bool may = shift % 2 == 0 && sameInputs && own && samples != first.samples;
        vm.assertTrue(_try(STRANGER, 0, abi.encodeCall(court.proveDoubleUpdate, (first, a, second, b))) == may);
        vm.assertEq(registry.nodeOf(node).stake, may ? 0 : STAKE);
    }

    function testFuzz_proveBrokenReceipt(uint32 node, uint8 field, bool proposed, bool forged) public {
        uint64 round = _openWithUpdates();
        node %= uint32(NODES);
        TypedData.Update memory update = _update(round, node);
        if (field % 6 < 3) update.samples += 1;
        if (field % 6 == 1) update.inputs = "others";
        bytes memory signature = field % 6 == 2 ? _sign(0xbad, TypedData.hash(update)) : _signUpdate(update);
        bytes memory receipt = _receiptBy(forged ? 0xbad : AGGREGATOR_KEY, update, signature);
        if (field % 6 == 4) updates[node] = 0;
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        _honestOutcome(round);
        if (proposed) _proposeOutcome(round);
        bytes memory data = abi.encodeCall(
            court.proveBrokenReceipt, (update, signature, receipt, updates[node], _siblings(node), closeHash)
        );
        _proof((field % 6 == 0 || field % 6 == 4) && !forged, data);
    }

    function testFuzz_proveMissingCommit(uint32 node, bool committed, bool kept, bool proposed, bytes32 slot) public {
        uint64 round = _openWithUpdates();
        node %= uint32(NODES);
        TypedData.Update memory update = _update(round, node);
        if (committed) ledger.commit(update, _signUpdate(update));
        if (!kept) updates[node] = slot;
        _closeOverUpdates(round);
        _honestOutcome(round);
        if (proposed) _proposeOutcome(round);
        bytes memory data =
            abi.encodeCall(court.proveMissingCommit, (round, node, updates[node], _siblings(node), closeHash));
        _proof(committed && !kept, data);
    }

    function testFuzz_proveEarlyClose(uint32 node, uint16 time, bool left, bool proposed) public {
        node %= 5;
        if (left && node < NODES) {
            vm.prank(_owner(node));
            registry.leaveFederation();
        }
        uint64 round = _openWithUpdates();
        if (node < NODES) updates[node] = 0;
        vm.warp(vm.getBlockTimestamp() + time % 150);
        _closeOverUpdates(round);
        _honestOutcome(round);
        if (proposed) _proposeOutcome(round);
        bool may = time % 150 < COMMIT_TIME && node < NODES && !left;
        _proof(may, abi.encodeCall(court.proveEarlyClose, (round, node, _siblings(node), closeHash)));
    }

    function testFuzz_proveForgedUpdate(uint32 node, uint256 key, bytes calldata junk, uint8 field) public {
        uint64 round = _openWithUpdates();
        node %= uint32(NODES);
        TypedData.Update memory update = _update(round, node);
        if (field % 6 == 0) update.round += 1;
        if (field % 6 == 1) update.node += 1;
        if (field % 6 == 2) update.inputs = "others";
        uint256 signer = key % 3 == 0 ? _nodeKey(node) : 1 + key % type(uint128).max;
        bytes memory signature = field % 6 == 3 ? bytes(junk) : _sign(signer, TypedData.hash(update));
        _proof(field % 6 < 4 || key % 3 != 0, _closedOver(round, node, update, signature));
    }

    /// @dev Closes a round with this in a node's slot, and returns the proof that it is forged.
    function _closedOver(uint64 round, uint32 node, TypedData.Update memory update, bytes memory signature)
        private
        returns (bytes memory)
    {
        updates[node] = Trees.updateLeaf(ledger.federation(), node, update, signature);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        return abi.encodeCall(court.proveForgedUpdate, (round, node, update, signature, _siblings(node), closeHash));
    }

    function testFuzz_proveWrongHeader(uint8 field, bytes32 word, uint8 said, bytes32 other) public {
        uint64 round = _closed();
        Evidence.Header memory honest = header;
        if (field % 8 == 0) header.federation = word;
        if (field % 8 == 1) header.round = uint64(uint256(word));
        if (field % 8 == 2) header.inputs = word;
        if (field % 8 == 3) header.seed = word;
        if (field % 8 == 4) header.roots[2] = word;
        if (field % 8 == 5) header.codeVersion = word;
        bool tampered = field % 8 < 5 && keccak256(abi.encode(honest)) != keccak256(abi.encode(header));
        _proposeOutcome(round);
        bytes32 root = _mostly(updateRoot, other, said);
        bytes memory data = abi.encodeCall(court.proveWrongHeader, (round, header, root, closeHash));
        _proof(tampered && root == updateRoot, data);
    }

    function testFuzz_proveWrongBasis(uint8 i, uint256 basis, uint128 wrong, uint8 field, bool other) public {
        uint64 round = _closed();
        i %= uint8(NODES);
        Evidence.Contribution memory honest = contributions[i];
        if (field % 3 == 0) contributions[i].basis = basis;
        if (field % 3 == 1) contributions[i].standardError = wrong;
        bool tampered = keccak256(abi.encode(honest)) != keccak256(abi.encode(contributions[i]));
        _hang();
        _proposeOutcome(round);
        (, Trees.SumOpening memory opening) = _sumTree(i);
        if (other) opening.sums[3] += 1;
        bytes memory data = abi.encodeCall(court.proveWrongBasis, (round, header, contributions[i], opening));
        _proof(tampered && !other, data);
    }

    function testFuzz_proveWrongScore(uint8 i, uint24 moved) public {
        uint64 round = _closed();
        i %= uint8(NODES);
        uint24[3] memory honest = [uint24(5_000_208), 3_333_333, 1_666_459];
        moved = uint24(moved % 3 == 0 ? moved % 4 : moved % 1_000_000);
        scores = abi.encodePacked(honest[0] + moved, honest[1], honest[2] - moved);
        _proposeOutcome(round);
        uint256 score = ledger.scoreOf(round, i);
        // |score·T − S·basis| ≥ T, with numbers that need no more than 256 bits.
        int256 off = int256(score * header.totalBasis) - int256(SCORES * contributions[i].basis);
        bool wrong = uint256(off < 0 ? -off : off) >= header.totalBasis;
        (, Trees.SumOpening memory opening) = _sumTree(i);
        _proof(wrong, abi.encodeCall(court.proveWrongScore, (round, header, contributions[i], opening)));
    }

    function testFuzz_proveUnfoundedScore(uint32 node, bool last) public {
        uint64 round = _closed();
        if (last) {
            contributions.pop();
            leafSums.pop();
            header.totalBasis = leafSums[0] + leafSums[1];
            _hang();
        }
        _proposeOutcome(round);
        node = node % 3 == 0 ? uint32(2) : node % 8192;
        (, Trees.SumOpening memory opening) = _sumTree(node);
        _proof(last && node == 2, abi.encodeCall(court.proveUnfoundedScore, (round, header, node, opening)));
    }

    function testFuzz_proveWrongTotal(uint8 i, uint256 total, uint256 sum, uint8 field) public {
        uint64 round = _closed();
        i %= uint8(NODES);
        (uint256 before, uint256 own) = (header.totalBasis, leafSums[i]);
        if (field % 3 == 0) header.totalBasis = total;
        if (field % 3 == 1) leafSums[i] = sum;
        _hang();
        _proposeOutcome(round);
        (, Trees.SumOpening memory opening) = _sumTree(i);
        bool may = header.totalBasis != before || leafSums[i] != own;
        _proof(may, abi.encodeCall(court.proveWrongTotal, (round, header, contributions[i], opening)));
    }

    function _filed(uint256 sent) private returns (bool filed) {
        uint64 round = _closed();
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = Trees.leaf(ledger.federation(), 7, 0, _utility(0));
        bytes32[] memory path;
        (header.roots[6], path) = _tree(leaves, 0, 20);
        _proposeOutcome(round);
        return _try(STRANGER, sent, abi.encodeCall(court.dispute, (round, header, 7, 0, _utility(0), path)));
    }

    function _utility(int256 off) private pure returns (bytes memory) {
        return abi.encode(abi.encodePacked(uint8(7)), uint32(0), 1_000_000 + off);
    }

    /// @dev Filed, sealed, revealed, decided and convicted, with any bond, voter, vote and time.
    function testFuzz_disputeToTheEnd(uint96 bond, uint8 voter, bytes32 salt, int64 off, uint16 time, bool exact)
        public
    {
        (voter, time) = (voter % 5, time % 120);
        bool filed = _filed(exact ? DISPUTE_BOND : bond);
        vm.assertTrue(filed == (exact || bond == DISPUTE_BOND));
        address scorer = voter < 4 ? vm.addr(_scorerKey(voter)) : STRANGER;
        bytes32 sealed_ = keccak256(abi.encode(uint256(0), scorer, _utility(off), salt));
        bool voted = _try(scorer, 0, abi.encodeCall(court.sealVote, (0, sealed_)));
        vm.assertTrue(voted == (filed && voter < 4));
        vm.warp(vm.getBlockTimestamp() + time);
        bytes memory reveal = abi.encodeCall(court.revealVote, (0, _utility(0), _utility(off), salt));
        bool revealed = _try(scorer, 0, reveal);
        vm.assertTrue(revealed == (voted && time >= VOTE && time < 2 * VOTE));
        vm.assertFalse(_try(scorer, 0, reveal));
        bool decided = _try(STRANGER, 0, abi.encodeCall(court.decide, (0)));
        vm.assertTrue(decided == (filed && time >= 2 * VOTE));
        vm.assertEq(address(court).balance, filed && !decided ? DISPUTE_BOND : 0);
        bool convicted = _try(STRANGER, 0, abi.encodeCall(court.proveContradiction, (0, scorer)));
        vm.assertTrue(convicted == (revealed && (off > 64 || off < -64) && voter < QUORUM));
    }

    function testFuzz_disputeContribution(uint96 bond, uint8 i, bool exact, bool tampered, uint16 time) public {
        uint64 round = _proposed();
        i %= uint8(NODES);
        (, Trees.SumOpening memory opening) = _sumTree(i);
        Evidence.Contribution memory leaf = contributions[i];
        if (tampered) leaf.contribution += 1;
        uint256 sent = exact ? DISPUTE_BOND : bond;
        vm.warp(vm.getBlockTimestamp() + time % 150);
        bool may = sent == DISPUTE_BOND && !tampered && time % 150 < WINDOW;
        bytes memory data = abi.encodeCall(court.disputeContribution, (round, header, leaf, opening));
        vm.assertTrue(_try(STRANGER, sent, data) == may);
        vm.assertEq(address(court).balance, may ? DISPUTE_BOND : 0);
        vm.assertEq(ledger.roundOf(round).openDisputes, may ? 1 : 0);
    }
}
