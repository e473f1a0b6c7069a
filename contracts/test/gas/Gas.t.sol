// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {CourtTest} from "../utils/CourtTest.sol";
import {CumulativeRoot, MintLoop} from "./Rivals.sol";

interface GasVm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory gas);
}

/// @notice What every step of a round costs. Run with `--isolate`, so that each call is a transaction of its own and costs
/// what a transaction does; `bench/gas.py` reads the events.
/// @dev One scorer, one attestation. The round measured follows others, so that no counter or balance is zero.
contract GasTest is CourtTest {
    event Measured(string step, uint256 nodes, uint256 gas);

    function _measured(string memory step, uint256 nodes) private {
        emit Measured(step, nodes, GasVm(address(vm)).lastCallGas().gasTotalUsed);
    }

    function setUp() public override {
        super.setUp();
        address[] memory one = new address[](1);
        one[0] = vm.addr(_scorerKey(0));
        _appoint(vm.addr(AGGREGATOR_KEY), one);
    }

    function test_measure10() public {
        _measure(10);
    }

    function test_measure100() public {
        _measure(100);
    }

    function test_measure1000() public {
        _measure(1000);
    }

    function test_measure5000() public {
        _measure(5000);
    }

    function _measure(uint256 nodes) private {
        for (uint256 i = NODES; i < nodes; ++i) {
            _joinAs(_owner(i), _key(i), _payout(i));
        }
        bytes memory vector = _vector(nodes);
        uint64 before = _settleWith(vector);
        ledger.claim(0, _one(before));

        uint64 round = _open();
        _measured("open", nodes);
        delete updates;
        for (uint32 node; node < NODES; ++node) {
            updates.push(_leafOf(_update(round, node)));
        }
        TypedData.Update memory update = _update(round, 1);
        bytes memory signed = _signUpdate(update);
        ledger.commit(update, signed);
        _measured("commit", nodes);
        _proofsOfAnotherTree(round, nodes);
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        (updateRoot,) = _tree(updates, 0, 13);
        vm.prank(_aggregator());
        ledger.close(round, updateRoot, 1);
        _measured("close", nodes);
        _mine(1);
        closeHash = blockhash(vm.getBlockNumber() - 1);
        _proofsOfTheUpdateTree(round, nodes);
        _honestOutcome(round);
        scores = vector;
        _proofsOfOtherEvidence(round, nodes);
        uint256 snapshot = vm.snapshotState();
        ledger.seal(round);
        _measured("seal", nodes);
        vm.revertToState(snapshot);
        _proposeWith(round);
        _measured("propose", nodes);
        _court(round, nodes);
        _wait(WINDOW);
        ledger.claim(0, _one(round));
        _measured("claim", nodes);
        _rivals(nodes);
    }

    /// @dev Scores that all have three non-zero bytes, which cost most.
    function _vector(uint256 nodes) private pure returns (bytes memory vector) {
        uint256 each = SCORES / nodes;
        uint256 left = SCORES;
        vector = new bytes(3 * nodes);
        for (uint256 i; i < nodes; ++i) {
            uint256 score = i + 1 == nodes ? left : each;
            left -= score;
            for (uint256 j; j < 3; ++j) {
                vector[3 * i + j] = bytes1(uint8(score >> (16 - 8 * j)));
            }
        }
    }

    function _settleWith(bytes memory vector) private returns (uint64 round) {
        round = _openAndClose();
        scores = vector;
        _proposeWith(round);
        _wait(WINDOW);
    }

    function _proposeWith(uint64 round) private {
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal(Evidence.hash(header), keccak256("model"), scores);
        bytes[] memory attestations = _attest(round, proposal, 1);
        ledger.propose(round, proposal, attestations);
    }

    function _proofsOfTheUpdateTree(uint64 round, uint256 nodes) private {
        uint256 snapshot = vm.snapshotState();
        (TypedData.Update memory update, bytes memory signature, bytes memory receipt) = _promised(round, 0);
        bytes32[] memory siblings = _siblings(0);
        court.proveBrokenReceipt(update, signature, receipt, updates[0], siblings, closeHash);
        _measured("proveBrokenReceipt", nodes);
        vm.revertToState(snapshot);
        TypedData.Update memory first = _update(round, 1);
        TypedData.Update memory second = _update(round, 1);
        second.samples = 99;
        bytes memory a = _signUpdate(first);
        bytes memory b = _signUpdate(second);
        court.proveDoubleUpdate(first, a, second, b);
        _measured("proveDoubleUpdate", nodes);
        vm.revertToState(snapshot);
    }

    /// @dev Rounds that are closed over something else than the nodes signed.
    function _proofsOfAnotherTree(uint64 round, uint256 nodes) private {
        uint256 snapshot = vm.snapshotState();
        updates[1] = 0;
        _closeOverUpdates(round);
        court.proveMissingCommit(round, 1, 0, _siblings(1), closeHash);
        _measured("proveMissingCommit", nodes);
        vm.revertToState(snapshot);
        updates[2] = 0;
        _closeOverUpdates(round);
        court.proveEarlyClose(round, 2, _siblings(2), closeHash);
        _measured("proveEarlyClose", nodes);
        vm.revertToState(snapshot);
        TypedData.Update memory update = _update(round, 2);
        bytes memory forged = _sign(0xbad, TypedData.hash(update));
        updates[2] = Trees.updateLeaf(ledger.federation(), 2, update, forged);
        _closeOverUpdates(round);
        court.proveForgedUpdate(round, 2, update, forged, _siblings(2), closeHash);
        _measured("proveForgedUpdate", nodes);
        vm.revertToState(snapshot);
    }

    /// @dev Rounds that are proposed with evidence that contradicts itself or the chain.
    function _proofsOfOtherEvidence(uint64 round, uint256 nodes) private {
        uint256 snapshot = vm.snapshotState();
        header.seed = "another";
        _proposeWith(round);
        court.proveWrongHeader(round, header, updateRoot, closeHash);
        _measured("proveWrongHeader", nodes);
        vm.revertToState(snapshot);
        contributions[0].basis += 1;
        _hang();
        _proposeWith(round);
        (, Trees.SumOpening memory opening) = _sumTree(0);
        court.proveWrongBasis(round, header, contributions[0], opening);
        _measured("proveWrongBasis", nodes);
        vm.revertToState(snapshot);
        header.totalBasis += 1;
        _proposeWith(round);
        (, opening) = _sumTree(0);
        court.proveWrongTotal(round, header, contributions[0], opening);
        _measured("proveWrongTotal", nodes);
        vm.revertToState(snapshot);
        bytes memory utility = abi.encode(abi.encodePacked(uint8(7)), uint32(0), int256(1_000_000));
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = Trees.leaf(ledger.federation(), Evidence.UTILITY, 0, utility);
        bytes32[] memory path;
        (header.roots[Evidence.UTILITY - 1], path) = _tree(leaves, 0, Trees.LIST_DEPTH);
        _proposeWith(round);
        vm.deal(STRANGER, DISPUTE_BOND);
        vm.prank(STRANGER);
        court.dispute{value: DISPUTE_BOND}(round, header, uint32(Evidence.UTILITY), 0, utility, path);
        _measured("dispute", nodes);
        vm.revertToState(snapshot);
    }

    function _court(uint64 round, uint256 nodes) private {
        uint256 snapshot = vm.snapshotState();
        (, Trees.SumOpening memory opening) = _sumTree(0);
        court.proveWrongScore(round, header, contributions[0], opening);
        _measured("proveWrongScore", nodes);
        vm.revertToState(snapshot);
        (, Trees.SumOpening memory empty) = _sumTree(NODES);
        court.proveUnfoundedScore(round, header, uint32(NODES), empty);
        _measured("proveUnfoundedScore", nodes);
        vm.revertToState(snapshot);
        vm.deal(STRANGER, DISPUTE_BOND);
        vm.prank(STRANGER);
        court.disputeContribution{value: DISPUTE_BOND}(round, header, contributions[0], opening);
        _measured("disputeContribution", nodes);
        bytes memory payload = abi.encode(contributions[0]);
        contributions[0].basis += 1;
        bytes memory other = abi.encode(contributions[0]);
        address scorer = vm.addr(_scorerKey(0));
        vm.prank(scorer);
        court.sealVote(0, keccak256(abi.encode(uint256(0), scorer, other, bytes32("salt"))));
        _measured("sealVote", nodes);
        vm.warp(vm.getBlockTimestamp() + VOTE);
        vm.prank(scorer);
        court.revealVote(0, payload, other, "salt");
        _measured("revealVote", nodes);
        vm.warp(vm.getBlockTimestamp() + VOTE);
        court.decide(0);
        _measured("decide", nodes);
        court.proveContradiction(0, scorer);
        _measured("proveContradiction", nodes);
        ledger.release(round);
        _measured("release", nodes);
        vm.revertToState(snapshot);
    }

    function _rivals(uint256 nodes) private {
        address[] memory accounts = new address[](nodes);
        uint256[] memory amounts = new uint256[](nodes);
        for (uint256 i; i < nodes; ++i) {
            accounts[i] = address(uint160(uint256(keccak256(abi.encode(i)))));
            amounts[i] = 1e18 + i;
        }
        MintLoop loop = new MintLoop();
        loop.settle(accounts, amounts); // so that balances are not zero
        loop.settle(accounts, amounts);
        _measured("mint loop", nodes);
        CumulativeRoot cumulative = new CumulativeRoot();
        uint256 depth;
        while (1 << depth < nodes) {
            ++depth;
        }
        bytes32[] memory proof = new bytes32[](depth);
        for (uint256 period = 1; period <= 2; ++period) {
            bytes32 node = keccak256(bytes.concat(keccak256(abi.encode(accounts[0], period * 1e18))));
            for (uint256 i; i < depth; ++i) {
                proof[i] = keccak256(abi.encode(i));
                node =
                    node < proof[i] ? keccak256(bytes.concat(node, proof[i])) : keccak256(bytes.concat(proof[i], node));
            }
            cumulative.settle(node);
            if (period == 2) _measured("cumulative root", nodes);
            cumulative.claim(accounts[0], period * 1e18, proof);
            if (period == 2) _measured("cumulative claim", nodes);
        }
    }
}
