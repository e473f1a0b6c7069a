// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {Evidence} from "./libraries/Evidence.sol";
import {Trees} from "./libraries/Trees.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title Proofs
/// @notice The faults that the chain judges alone: the half of the court that needs no votes.
abstract contract Proofs is ICourt {
    IRoundLedger internal immutable _ledger;
    INodeRegistry internal immutable _registry;

    /// @dev Nobody is punished twice for one round, as a node or as an officer.
    mapping(bytes32 charge => bool) private _punished;

    constructor(address ledger_, address registry_) {
        _ledger = IRoundLedger(ledger_);
        _registry = INodeRegistry(registry_);
    }

    // ------------------------------------------------------------------------------------------------------- node

    /// @inheritdoc ICourt
    function proveDoubleUpdate(
        TypedData.Update calldata first,
        bytes calldata firstSignature,
        TypedData.Update calldata second,
        bytes calldata secondSignature
    ) external {
        (uint64 round, uint32 node) = (first.round, first.node);
        if (round != second.round || node != second.node || first.inputs != second.inputs) revert DifferentSubjects();
        if (round > _ledger.lastRound()) revert NothingToProve(round);
        bytes32 firstHash = TypedData.hash(first);
        bytes32 secondHash = TypedData.hash(second);
        if (firstHash == secondHash) revert NotAFault();
        // The other half is the sample bound.
        // slither-disable-next-line unused-return
        (address key,) = _registry.membershipAt(node, round);
        _signedBy(key, firstHash, firstSignature);
        _signedBy(key, secondHash, secondSignature);
        address owner = _registry.nodeOf(node).owner;
        _convict(Fault.DoubleUpdate, round, owner);
        _registry.slashNode(node, msg.sender);
    }

    // ------------------------------------------------------------------------------------------------- aggregator

    /// @inheritdoc ICourt
    function proveBrokenReceipt(
        TypedData.Update calldata update,
        bytes calldata signature,
        bytes calldata receipt,
        bytes32 slot,
        bytes32[] calldata siblings,
        bytes32 closeBlockHash
    ) external {
        if (slot == _promised(update, signature, receipt)) revert NotAFault();
        bytes32 inputs = _inUpdateRoot(update.round, update.node, slot, siblings, closeBlockHash).inputs;
        // What the round could not hold was promised in another history of the chain, which was rolled back.
        (bool genuine,) = _genuine(update.round, update.node, inputs, update, signature);
        if (!genuine) revert NotAFault();
        _blame(Fault.BrokenReceipt, update.round, update.node, true);
    }

    /// @inheritdoc ICourt
    function proveMissingCommit(
        uint64 round,
        uint32 node,
        bytes32 slot,
        bytes32[] calldata siblings,
        bytes32 closeBlockHash
    ) external {
        bytes32 promised = _ledger.commitOf(round, node);
        _inUpdateRoot(round, node, slot, siblings, closeBlockHash);
        if (promised == 0 || slot == promised) revert NotAFault();
        _blame(Fault.MissingCommit, round, node, true);
    }

    /// @inheritdoc ICourt
    function proveEarlyClose(uint64 round, uint32 node, bytes32[] calldata siblings, bytes32 closeBlockHash) external {
        if (!_inUpdateRoot(round, node, 0, siblings, closeBlockHash).closedEarly) revert NotAFault();
        if (!_registry.eligible(node, round)) revert NotEligible(round, node);
        _blame(Fault.EarlyClose, round, node, true);
    }

    /// @inheritdoc ICourt
    function proveForgedUpdate(
        uint64 round,
        uint32 node,
        TypedData.Update calldata update,
        bytes calldata signature,
        bytes32[] calldata siblings,
        bytes32 closeBlockHash
    ) external {
        bytes32 leaf = Trees.updateLeaf(_ledger.federation(), node, update, signature);
        IRoundLedger.Round memory r = _inUpdateRoot(round, node, leaf, siblings, closeBlockHash);
        (bool genuine, bool eligible) = _genuine(round, node, r.inputs, update, signature);
        if (genuine) revert NotAFault();
        _blame(Fault.ForgedUpdate, round, node, eligible);
    }

    /// @inheritdoc ICourt
    function proveWrongHeader(uint64 round, Evidence.Header calldata header, bytes32 updateRoot, bytes32 closeBlockHash)
        external
    {
        IRoundLedger.Round memory r = _proposed(round, header);
        _isUpdateRoot(round, r, updateRoot, closeBlockHash);
        bool right = header.federation == _ledger.federation() && header.round == round && header.inputs == r.inputs
            && header.seed == r.seed && header.roots[Evidence.UPDATE - 1] == updateRoot;
        if (right) revert NotAFault();
        _blame(Fault.WrongHeader, round, 0, false);
    }

    /// @inheritdoc ICourt
    function proveWrongBasis(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external {
        _contribution(round, header, leaf, opening);
        if (Evidence.follows(leaf, header)) revert NotAFault();
        _blame(Fault.WrongBasis, round, leaf.node, leaf.basis < Evidence.basis(leaf, header));
    }

    /// @inheritdoc ICourt
    function proveWrongScore(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external {
        _contribution(round, header, leaf, opening);
        _judgeScore(round, leaf.node, leaf.basis, header.totalBasis);
    }

    /// @inheritdoc ICourt
    function proveUnfoundedScore(
        uint64 round,
        Evidence.Header calldata header,
        uint32 node,
        Trees.SumOpening calldata opening
    ) external {
        _proposed(round, header);
        _inSumTree(header, 0, node, opening);
        _judgeScore(round, node, 0, header.totalBasis);
    }

    /// @inheritdoc ICourt
    function proveWrongTotal(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external {
        (uint256 total, bool addsUp) = _contribution(round, header, leaf, opening);
        if (addsUp && total == header.totalBasis && opening.sums[0] == leaf.basis) revert NotAFault();
        _blame(Fault.WrongTotal, round, 0, false);
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev Notes a fault, once for a culprit and a round. A node's is apart from an officer's: an aggregator that owns a node
    /// could else pay that node's stake to be beyond reach as the aggregator.
    function _convict(Fault fault, uint64 round, address culprit) internal {
        bytes32 charge = keccak256(abi.encode(round, culprit, fault == Fault.DoubleUpdate));
        if (_punished[charge]) revert AlreadyPunished(round, culprit);
        _punished[charge] = true;
        emit FaultProved(fault, round, culprit, msg.sender);
    }

    /// @dev The header's round has an outcome, and the header is under its evidence root.
    function _proposed(uint64 round, Evidence.Header calldata header)
        internal
        view
        returns (IRoundLedger.Round memory r)
    {
        r = _ledger.roundOf(round);
        if (r.evidenceRoot == 0) revert NothingToProve(round);
        _same(Evidence.hash(header), r.evidenceRoot);
    }

    /// @dev Opens a contribution leaf under a round's evidence root.
    function _contribution(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) internal view returns (uint256 total, bool addsUp) {
        _proposed(round, header);
        bytes32 hashed = Trees.leaf(_ledger.federation(), Evidence.CONTRIBUTION, leaf.node, abi.encode(leaf));
        return _inSumTree(header, hashed, leaf.node, opening);
    }

    function _same(bytes32 computed, bytes32 expected) internal pure {
        if (computed != expected) revert WrongRoot(computed, expected);
    }

    // ---------------------------------------------------------------------------------------------------- private

    /// @dev The round's aggregator is at fault: it loses its bond, and the round becomes Void if it is not Final.
    function _blame(Fault fault, uint64 round, uint32 node, bool wronged) private {
        address aggregator = _registry.aggregatorAt(round);
        _convict(fault, round, aggregator);
        _ledger.annul(round);
        address beneficiary = wronged ? _registry.nodeOf(node).owner : msg.sender;
        _registry.slashBond(aggregator, beneficiary, wronged);
    }

    function _judgeScore(uint64 round, uint32 node, uint256 basis, uint256 total) private {
        (bool wrong, bool over) = Evidence.misjudged(_ledger.scoreOf(round, node), basis, total);
        if (!wrong) revert NotAFault();
        _blame(Fault.WrongScore, round, node, !over);
    }

    /// @dev The leaf that the aggregator's receipt for an update promises.
    function _promised(TypedData.Update calldata update, bytes calldata signature, bytes calldata receipt)
        private
        view
        returns (bytes32 leaf)
    {
        (uint64 round, uint32 node) = (update.round, update.node);
        leaf = Trees.updateLeaf(_ledger.federation(), node, update, signature);
        _signedBy(_registry.aggregatorAt(round), TypedData.hash(TypedData.Receipt(round, node, leaf)), receipt);
        if (_ledger.commitOf(round, node) != 0) revert ReceiptOverridden(round, node);
    }

    /// @dev Opens a slot of the update tree of a round that was closed.
    function _inUpdateRoot(uint64 round, uint32 node, bytes32 slot, bytes32[] calldata siblings, bytes32 closeBlockHash)
        private
        view
        returns (IRoundLedger.Round memory r)
    {
        r = _ledger.roundOf(round);
        if (r.closeBlock == 0) revert NothingToProve(round);
        _isUpdateRoot(round, r, Trees.root(slot, node, siblings, Trees.NODE_DEPTH), closeBlockHash);
    }

    /// @dev The root that a round was closed over. From the proposal on the ledger has only the seed, which is a hash of it
    /// and of the closing block's hash: whoever knows both has opened it.
    function _isUpdateRoot(uint64 round, IRoundLedger.Round memory r, bytes32 root, bytes32 closeBlockHash)
        private
        view
    {
        if (r.updateRoot != 0) return _same(root, r.updateRoot);
        _same(TypedData.seed(_ledger.federation(), round, root, closeBlockHash), r.seed);
    }

    function _inSumTree(
        Evidence.Header calldata header,
        bytes32 leaf,
        uint256 position,
        Trees.SumOpening calldata opening
    ) private pure returns (uint256 total, bool addsUp) {
        bytes32 root;
        (root, total, addsUp) = Trees.sumRoot(leaf, position, opening);
        _same(root, header.roots[Evidence.CONTRIBUTION - 1]);
    }

    /// @dev Whether a round may hold an update at a node's slot, and whether the node was eligible for it at all.
    function _genuine(
        uint64 round,
        uint32 node,
        bytes32 inputs,
        TypedData.Update calldata update,
        bytes calldata signature
    ) private view returns (bool genuine, bool eligible) {
        // The other half is the sample bound.
        // slither-disable-next-line unused-return
        (address key,) = _registry.membershipAt(node, round);
        // What is no signature at all recovers to the zero address, and so does the key of a node that is not eligible.
        // slither-disable-next-line unused-return (why it is none)
        (address signer,,) = ECDSA.tryRecoverCalldata(_digest(TypedData.hash(update)), signature);
        eligible = key != address(0);
        genuine = eligible && signer == key && update.round == round && update.node == node && update.inputs == inputs;
    }

    function _signedBy(address expected, bytes32 structHash, bytes calldata signature) private view {
        address signer = ECDSA.recoverCalldata(_digest(structHash), signature);
        if (signer != expected) revert WrongSigner(signer, expected);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_ledger.federation(), structHash);
    }
}
