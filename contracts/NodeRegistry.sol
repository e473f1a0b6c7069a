// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title NodeRegistry
/// @notice The nodes and scorers of a federation.
/// @dev A node's membership is a history of checkpoints, keyed by the first round that they hold for: the highest sample
/// count and the signing key in one value, zero for not eligible. Every change is keyed at the round after the last one
/// opened, so the roster of a round never changes once it is open.
contract NodeRegistry is INodeRegistry {
    using Checkpoints for Checkpoints.Trace208;

    struct Member {
        address owner;
        uint40 unbondingUntil;
        address payout;
        uint256 stake;
        Checkpoints.Trace208 history;
    }

    // ------------------------------------------------------------------------------------------------- immutables

    /// @inheritdoc INodeRegistry
    uint32 public constant MAX_NODES = 8191;

    IRoundLedger private immutable _ledger;
    uint256 private immutable _minimumStake;
    uint40 private immutable _unbonding;
    uint256 private immutable _scorerCount;

    // ---------------------------------------------------------------------------------------------------- storage

    Member[] private _members;
    mapping(address owner => uint256 nodePlusOne) private _nodePlusOneOf;
    mapping(address key => uint256 nodePlusOne) private _nodePlusOneServedBy;
    mapping(address scorer => uint256 indexPlusOne) private _scorerIndexPlusOne;
    mapping(bytes32 nonce => bool) private _invitationUsed;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @param ledger_ The round ledger, deployed after this contract; its constructor checks that it is named here.
    /// @param minimumStake_ The least stake to join with, in wei.
    /// @param unbonding_ How long after leaving a stake stays locked, in seconds.
    /// @param scorers The scorers: 3f + 1 between 1 and 31, each once.
    constructor(address ledger_, uint256 minimumStake_, uint40 unbonding_, address[] memory scorers) {
        if (scorers.length % 3 != 1 || scorers.length > 31) revert BadScorerCount(scorers.length);
        _ledger = IRoundLedger(ledger_);
        _minimumStake = minimumStake_;
        _unbonding = unbonding_;
        _scorerCount = scorers.length;
        for (uint256 i; i < scorers.length; ++i) {
            address scorer = scorers[i];
            if (scorer == address(0) || _scorerIndexPlusOne[scorer] != 0) revert BadScorer(scorer);
            _scorerIndexPlusOne[scorer] = i + 1;
            emit ScorerAppointed(i, scorer);
        }
    }

    // ------------------------------------------------------------------------------------------------------ nodes

    /// @inheritdoc INodeRegistry
    function join(
        address signingKey,
        address payout,
        TypedData.Invitation calldata invitation,
        bytes calldata signature
    ) external payable returns (uint32 node) {
        if (msg.value < _minimumStake) revert StakeTooLow(msg.value, _minimumStake);
        _useInvitation(invitation, signature);
        node = _seat(msg.sender);
        _bindKey(node, signingKey);
        if (payout == address(0)) revert BadPayout(payout);

        Member storage member = _members[node];
        member.payout = payout;
        member.stake = msg.value;
        uint64 fromRound = _setMembership(member, signingKey, invitation.maxSamples);
        emit NodeJoined(
            node, msg.sender, signingKey, payout, msg.value, invitation.maxSamples, invitation.nonce, fromRound
        );
    }

    /// @inheritdoc INodeRegistry
    function rotateKey(address newKey) external {
        uint32 node = indexOf(msg.sender);
        Member storage member = _members[node];
        (address signer, uint32 maxSamples) = _unpack(member.history.latest());
        if (signer == address(0)) revert NodeHasLeft(node);
        _bindKey(node, newKey);
        emit KeyRotated(node, newKey, _setMembership(member, newKey, maxSamples));
    }

    /// @inheritdoc INodeRegistry
    function setPayout(address payout) external {
        uint32 node = indexOf(msg.sender);
        if (payout == address(0)) revert BadPayout(payout);
        _members[node].payout = payout;
        emit PayoutChanged(node, payout);
    }

    /// @inheritdoc INodeRegistry
    function leaveFederation() external {
        uint32 node = indexOf(msg.sender);
        Member storage member = _members[node];
        if (member.history.latest() == 0) revert NodeHasLeft(node);
        uint40 until = SafeCast.toUint40(block.timestamp) + _unbonding;
        member.unbondingUntil = until;
        emit NodeLeft(node, _setMembership(member, address(0), 0), until);
    }

    /// @inheritdoc INodeRegistry
    function withdraw(uint32 node) external {
        Member storage member = _member(node);
        uint40 until = member.unbondingUntil;
        if (until == 0) revert NotLeaving(node);
        if (block.timestamp < until) revert StakeLocked(node, until);
        address owner = member.owner;
        uint256 amount = member.stake;
        member.unbondingUntil = 0;
        member.stake = 0;
        emit StakeWithdrawn(node, owner, amount);
        Address.sendValue(payable(owner), amount);
    }

    // ------------------------------------------------------------------------------------------------------ views

    /// @inheritdoc INodeRegistry
    function eligible(uint32 node, uint64 round) external view returns (bool) {
        (address signer,) = membershipAt(node, round);
        return signer != address(0);
    }

    /// @inheritdoc INodeRegistry
    function membershipAt(uint32 node, uint64 round) public view returns (address signer, uint32 maxSamples) {
        if (node >= _members.length) return (address(0), 0);
        return _unpack(_members[node].history.upperLookupRecent(SafeCast.toUint48(round)));
    }

    /// @inheritdoc INodeRegistry
    function roster(uint64 round) external view returns (RosterEntry[] memory entries) {
        uint32 count = nodeCount();
        uint256 found;
        entries = new RosterEntry[](count);
        for (uint32 node; node < count; ++node) {
            (address signer, uint32 maxSamples) = membershipAt(node, round);
            if (signer != address(0)) entries[found++] = RosterEntry(node, signer, maxSamples);
        }
        // Solidity cannot shorten an array in memory; counting first would read every history twice.
        assembly ("memory-safe") {
            mstore(entries, found)
        }
    }

    /// @inheritdoc INodeRegistry
    function nodeCount() public view returns (uint32) {
        // At most MAX_NODES.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint32(_members.length);
    }

    /// @inheritdoc INodeRegistry
    function nodeOf(uint32 node) external view returns (Node memory) {
        Member storage member = _member(node);
        (address signer, uint32 maxSamples) = _unpack(member.history.latest());
        return Node(member.owner, member.payout, member.stake, member.unbondingUntil, signer, maxSamples);
    }

    /// @inheritdoc INodeRegistry
    function payoutOf(uint32 node) external view returns (address) {
        return _member(node).payout;
    }

    /// @inheritdoc INodeRegistry
    function indexOf(address owner) public view returns (uint32) {
        uint256 nodePlusOne = _nodePlusOneOf[owner];
        if (nodePlusOne == 0) revert NotANode(owner);
        return _index(nodePlusOne);
    }

    /// @inheritdoc INodeRegistry
    function invitationUsed(bytes32 nonce) external view returns (bool) {
        return _invitationUsed[nonce];
    }

    /// @inheritdoc INodeRegistry
    function scorerIndex(address scorer) external view returns (uint256) {
        uint256 indexPlusOne = _scorerIndexPlusOne[scorer];
        if (indexPlusOne == 0) revert NotAScorer(scorer);
        return indexPlusOne - 1;
    }

    /// @inheritdoc INodeRegistry
    function scorerCount() external view returns (uint256) {
        return _scorerCount;
    }

    /// @inheritdoc INodeRegistry
    function quorum() external view returns (uint256) {
        return (2 * _scorerCount + 1) / 3; // 2f + 1 of 3f + 1
    }

    /// @inheritdoc INodeRegistry
    function ledger() external view returns (address) {
        return address(_ledger);
    }

    /// @inheritdoc INodeRegistry
    function minimumStake() external view returns (uint256) {
        return _minimumStake;
    }

    /// @inheritdoc INodeRegistry
    function unbonding() external view returns (uint40) {
        return _unbonding;
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev Checks that the invitation is for the caller, in time, unused and signed by an operator; uses it up.
    function _useInvitation(TypedData.Invitation calldata invitation, bytes calldata signature) private {
        if (msg.sender != invitation.owner) revert NotTheInvited(msg.sender, invitation.owner);
        if (block.timestamp > invitation.deadline) revert InvitationExpired(invitation.deadline);
        if (_invitationUsed[invitation.nonce]) revert InvitationUsed(invitation.nonce);
        bytes32 digest =
            MessageHashUtils.toTypedDataHash(TypedData.domainSeparator(address(_ledger)), TypedData.hash(invitation));
        address signer = ECDSA.recoverCalldata(digest, signature);
        if (!_ledger.hasRole(_ledger.OPERATOR_ROLE(), signer)) revert NotAnOperator(signer);
        _invitationUsed[invitation.nonce] = true;
    }

    /// @dev The owner's permanent index: the one that it has, when it left and withdrew, or the next free one.
    function _seat(address owner) private returns (uint32 node) {
        if (_scorerIndexPlusOne[owner] != 0) revert ScorerCannotBeNode(owner);
        uint256 nodePlusOne = _nodePlusOneOf[owner];
        if (nodePlusOne != 0) {
            node = _index(nodePlusOne);
            Member storage member = _members[node];
            if (member.history.latest() != 0 || member.unbondingUntil != 0) revert AlreadyJoined(node);
        } else {
            node = nodeCount();
            if (node == MAX_NODES) revert RegistryFull(MAX_NODES);
            _members.push().owner = owner;
            _nodePlusOneOf[owner] = uint256(node) + 1;
        }
    }

    /// @dev Ties a signing key to a node for ever.
    function _bindKey(uint32 node, address key) private {
        if (key == address(0)) revert BadSigningKey(key);
        if (_scorerIndexPlusOne[key] != 0) revert ScorerCannotBeNode(key);
        uint256 nodePlusOne = _nodePlusOneServedBy[key];
        if (nodePlusOne != 0 && _index(nodePlusOne) != node) revert KeyTaken(key, _index(nodePlusOne));
        _nodePlusOneServedBy[key] = uint256(node) + 1;
    }

    /// @dev Sets a node's membership from the next round on, and returns that round.
    function _setMembership(Member storage member, address signer, uint32 maxSamples)
        private
        returns (uint64 fromRound)
    {
        fromRound = _ledger.lastRound() + 1;
        member.history.push(SafeCast.toUint48(fromRound), (uint208(maxSamples) << 160) | uint160(signer));
    }

    function _member(uint32 node) private view returns (Member storage) {
        if (node >= _members.length) revert UnknownNode(node);
        return _members[node];
    }

    /// @dev The two halves of a checkpoint's value.
    function _unpack(uint208 membership) private pure returns (address signer, uint32 maxSamples) {
        // Truncation is the point: the lower 160 bits are the key, the 32 above them the bound.
        // forge-lint: disable-next-line(unsafe-typecast)
        return (address(uint160(membership)), uint32(membership >> 160));
    }

    function _index(uint256 nodePlusOne) private pure returns (uint32) {
        // An index is below MAX_NODES.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint32(nodePlusOne - 1);
    }
}
