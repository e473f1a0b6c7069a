// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICourt} from "../../interfaces/ICourt.sol";
import {IGovernance} from "../../interfaces/IGovernance.sol";
import {IRoundLedger} from "../../interfaces/IRoundLedger.sol";
import {Evidence} from "../../libraries/Evidence.sol";
import {Trees} from "../../libraries/Trees.sol";
import {TypedData} from "../../libraries/TypedData.sol";
import {BaseTest} from "./BaseTest.sol";

/// @notice Rounds with real updates, trees and evidence: an honest aggregator's, until a test tampers with them.
abstract contract CourtTest is BaseTest {
    uint256 internal constant AGGREGATOR_KEY = 0xa99;
    uint256 internal constant NODES = 3;
    uint256 internal constant DENOMINATOR = 6;

    /// @dev What the next round is built from; leaf i of `updates` is node i's, zero when it did not commit.
    bytes32[] internal updates;
    Evidence.Contribution[] internal contributions;
    uint256[] internal leafSums;
    Evidence.Header internal header;
    bytes internal scores;

    /// @dev What the last round was closed over, and the hash of the block that it was closed in.
    bytes32 internal updateRoot;
    bytes32 internal closeHash;

    function setUp() public virtual override {
        super.setUp();
        // The aggregator signs receipts, so it needs a key of its own.
        address[] memory scorers = _scorers(4);
        _appoint(vm.addr(AGGREGATOR_KEY), scorers);
        for (uint256 i; i < NODES; ++i) {
            _joinAs(_owner(i), vm.addr(_nodeKey(i)), _payout(i));
        }
    }

    function _appoint(address aggregator, address[] memory scorers) internal {
        IGovernance.Terms memory terms = IGovernance.Terms(ledger.configHash(), ledger.taskHash(), aggregator, scorers);
        vm.prank(ADMIN);
        uint40 at_ = ledger.announce(terms);
        vm.warp(at_);
        ledger.enact(terms);
        (uint256 held,) = registry.bondOf(aggregator);
        if (held < AGGREGATOR_BOND) {
            vm.deal(address(this), AGGREGATOR_BOND - held);
            registry.depositBond{value: AGGREGATOR_BOND - held}(aggregator);
        }
    }

    function _aggregator() internal pure override returns (address) {
        return vm.addr(AGGREGATOR_KEY);
    }

    function _nodeKey(uint256 i) internal pure returns (uint256) {
        return 0x9000 + i;
    }

    // ---------------------------------------------------------------------------------------------------- updates

    function _update(uint64 round, uint32 node) internal view returns (TypedData.Update memory) {
        IRoundLedger.Round memory r = ledger.roundOf(round);
        return TypedData.Update({
            round: round,
            inputs: r.inputs,
            node: node,
            baseModel: ledger.roundOf(r.parent).modelHash,
            parameters: keccak256(abi.encode("body", node)),
            samples: 10
        });
    }

    function _signUpdate(TypedData.Update memory update) internal view returns (bytes memory) {
        return _sign(_nodeKey(update.node), TypedData.hash(update));
    }

    function _leafOf(TypedData.Update memory update) internal view returns (bytes32) {
        return Trees.updateLeaf(ledger.federation(), update.node, update, _signUpdate(update));
    }

    /// @dev The aggregator's receipt for an update.
    function _receipt(TypedData.Update memory update, bytes memory signature) internal view returns (bytes memory) {
        return _receiptBy(AGGREGATOR_KEY, update, signature);
    }

    function _receiptBy(uint256 key, TypedData.Update memory update, bytes memory signature)
        internal
        view
        returns (bytes memory)
    {
        bytes32 leaf = Trees.updateLeaf(ledger.federation(), update.node, update, signature);
        return _sign(key, TypedData.hash(TypedData.Receipt(update.round, update.node, leaf)));
    }

    /// @dev An update that the aggregator has a receipt given for, and that is not the one in `updates`.
    function _promised(uint64 round, uint32 node)
        internal
        view
        returns (TypedData.Update memory update, bytes memory signature, bytes memory receipt)
    {
        update = _update(round, node);
        update.parameters = "promised";
        signature = _signUpdate(update);
        receipt = _receipt(update, signature);
    }

    /// @dev Opens a round to which every node commits, off chain.
    function _openWithUpdates() internal returns (uint64 round) {
        round = _open();
        delete updates;
        for (uint32 node; node < NODES; ++node) {
            updates.push(_leafOf(_update(round, node)));
        }
    }

    function _closeOverUpdates(uint64 round) internal {
        (updateRoot,) = _tree(updates, 0, 13);
        uint32 commits = ledger.roundOf(round).commits;
        vm.prank(_aggregator());
        ledger.close(round, updateRoot, commits);
        _mine(1);
        closeHash = blockhash(vm.getBlockNumber() - 1);
    }

    function _siblings(uint256 index) internal view returns (bytes32[] memory siblings) {
        (, siblings) = _tree(updates, index, 13);
    }

    // --------------------------------------------------------------------------------------------------- evidence

    /// @dev Fills in an honest outcome: contributions of 1/2, 1/3 and 1/6 of the whole.
    function _honestOutcome(uint64 round) internal {
        IRoundLedger.Round memory r = ledger.roundOf(round);
        delete contributions;
        delete leafSums;
        for (uint32 node; node < NODES; ++node) {
            int128 value = int128(int256(3 - uint256(node))) * 1_000_000;
            contributions.push(
                Evidence.Contribution(node, value, 500, 300, 400, uint256(uint128(value)) * 1000 - 250_000)
            );
            leafSums.push(contributions[node].basis);
        }
        header.version = 2;
        header.federation = ledger.federation();
        header.round = round;
        header.inputs = r.inputs;
        header.seed = r.seed != 0 ? r.seed : _seed(round);
        delete header.roots;
        header.roots[2] = updateRoot;
        header.totalBasis = 6_000_000_000 - 3 * 250_000;
        header.utilityEmpty = -5;
        header.utilityAll = 1_000_000;
        header.zThousandths = 500;
        header.denominator = DENOMINATOR;
        header.tolerances = [uint64(16), 64, 1024, 8, 128];
        header.codeVersion = keccak256("code");
        scores = abi.encodePacked(uint24(5_000_208), uint24(3_333_333), uint24(1_666_459));
        _hang();
    }

    /// @dev Hangs the contributions under the header.
    function _hang() internal {
        (header.roots[7],) = _sumTree(0);
    }

    function _proposeOutcome(uint64 round) internal {
        IRoundLedger.Proposal memory proposal = IRoundLedger.Proposal(Evidence.hash(header), keccak256("model"), scores);
        ledger.propose(round, proposal, _attest(round, proposal, QUORUM));
    }

    /// @dev A round up to Closed, with its outcome filled in.
    function _closed() internal returns (uint64 round) {
        round = _openWithUpdates();
        vm.warp(vm.getBlockTimestamp() + COMMIT_TIME);
        _closeOverUpdates(round);
        _honestOutcome(round);
    }

    /// @dev An honest round up to Proposed.
    function _proposed() internal returns (uint64 round) {
        round = _closed();
        _proposeOutcome(round);
    }

    // ------------------------------------------------------------------------------------------------------ trees

    function _tree(bytes32[] memory leaves, uint256 index, uint256 depth)
        internal
        pure
        returns (bytes32 root, bytes32[] memory siblings)
    {
        siblings = new bytes32[](depth);
        bytes32[] memory level = leaves;
        bytes32 empty;
        for (uint256 height; height < depth; ++height) {
            uint256 sibling = (index >> height) ^ 1;
            siblings[height] = sibling < level.length ? level[sibling] : empty;
            bytes32[] memory parents = new bytes32[](level.length == 0 ? 1 : (level.length + 1) / 2);
            for (uint256 i; i < parents.length; ++i) {
                bytes32 left = 2 * i < level.length ? level[2 * i] : empty;
                bytes32 right = 2 * i + 1 < level.length ? level[2 * i + 1] : empty;
                parents[i] = keccak256(abi.encodePacked(hex"01", left, right));
            }
            empty = keccak256(abi.encodePacked(hex"01", empty, empty));
            level = parents;
        }
        root = level[0];
    }

    function _contributionLeaf(uint256 i) internal view returns (bytes32) {
        return Trees.leaf(ledger.federation(), 8, contributions[i].node, abi.encode(contributions[i]));
    }

    function _sumTree(uint256 index) internal view returns (bytes32 root, Trees.SumOpening memory opening) {
        Trees.SumNode[] memory level = new Trees.SumNode[](contributions.length);
        for (uint256 i; i < level.length; ++i) {
            level[i] = Trees.SumNode(_contributionLeaf(i), leafSums[i]);
        }
        Trees.SumNode memory empty;
        for (uint256 height; height < 13; ++height) {
            opening.siblings[height] = _nodeAt(level, (index >> height) ^ 1, empty);
            opening.sums[height] = _nodeAt(level, index >> height, empty).sum;
            Trees.SumNode[] memory parents = new Trees.SumNode[]((level.length + 1) / 2);
            for (uint256 i; i < parents.length; ++i) {
                parents[i] = _parent(_nodeAt(level, 2 * i, empty), _nodeAt(level, 2 * i + 1, empty));
            }
            empty = _parent(empty, empty);
            level = parents;
        }
        root = level[0].hash;
    }

    function _nodeAt(Trees.SumNode[] memory level, uint256 i, Trees.SumNode memory empty)
        private
        pure
        returns (Trees.SumNode memory)
    {
        return i < level.length ? level[i] : empty;
    }

    function _parent(Trees.SumNode memory left, Trees.SumNode memory right)
        private
        pure
        returns (Trees.SumNode memory node)
    {
        node.hash = keccak256(abi.encodePacked(hex"02", left.hash, left.sum, right.hash, right.sum));
        unchecked {
            node.sum = left.sum + right.sum;
        }
    }

    // ------------------------------------------------------------------------------------------------------ money

    /// @dev Watches who has what before a proof; `_check…` compares after it.
    function _held(address account) internal view returns (uint256 amount) {
        (amount,) = registry.bondOf(account);
    }

    function _aggregatorLost(address beneficiary, uint256 award) internal view {
        vm.assertEq(_held(_aggregator()), 0);
        vm.assertEq(registry.owed(beneficiary), award);
        vm.assertEq(address(0).balance, AGGREGATOR_BOND - award);
    }

    function _notAFault() internal {
        vm.expectRevert(ICourt.NotAFault.selector);
    }
}
