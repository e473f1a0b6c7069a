// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {BondRegistry} from "./BondRegistry.sol";
import {Officers} from "./Officers.sol";
import {INodeRegistry} from "./interfaces/INodeRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title NodeRegistry
/// @notice The nodes of a federation, beside the aggregator and the scorers, which `Officers` and `BondRegistry` keep.
/// @dev A node's membership is a history of checkpoints, keyed by the first round that they hold for: the highest sample
/// count and the signing key in one value, zero for not eligible. Every change is keyed at the round after the last one
/// opened, so the roster of a round never changes once it is open.
// It does implement `_isNode`, which slither 0.11.6 overlooks.
// slither-disable-next-line unimplemented-functions
contract NodeRegistry is INodeRegistry, BondRegistry {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev `joined` is the first round of the present or last membership.
    struct Member {
        address owner;
        uint40 unbondingUntil;
        uint48 joined;
        bool expelled;
        address payout;
        uint256 stake;
        Checkpoints.Trace208 history;
    }

    // ------------------------------------------------------------------------------------------------- immutables

    /// @inheritdoc INodeRegistry
    uint32 public constant MAX_NODES = 8191;

    uint256 private immutable _minimumStake;
    uint256 private immutable _openFee;
    uint32 private immutable _openSamples;

    // ---------------------------------------------------------------------------------------------------- storage

    uint32 private _nodeCount;
    mapping(uint32 node => Member) private _members;
    mapping(address owner => uint256 nodePlusOne) private _nodePlusOneOf;
    mapping(bytes32 nonce => bool) private _invitationUsed;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @param ledger_ The round ledger, deployed after this contract; its constructor checks that it is named here.
    /// @param court_ The court, deployed after this contract as well.
    /// @param unbonding_ How long after leaving a stake or bond stays locked, in seconds.
    /// @param amounts The stakes, bonds and fees.
    /// @param openSamples The sample bound of nodes without an invitation; zero when an invitation is needed.
    /// @param aggregator The aggregator of the first round.
    /// @param scorers The scorers of the first round: 3f + 1 between 1 and 31, each once.
    constructor(
        address ledger_,
        address court_,
        uint40 unbonding_,
        Amounts memory amounts,
        uint32 openSamples,
        address aggregator,
        address[] memory scorers
    ) payable BondRegistry(ledger_, court_, unbonding_, amounts, aggregator, scorers) {
        _minimumStake = amounts.minimumStake;
        _openFee = amounts.openFee;
        _openSamples = openSamples;
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
        _members[node].expelled = false;
        _enter(node, signingKey, payout, msg.value, invitation.maxSamples, invitation.nonce);
    }

    /// @inheritdoc INodeRegistry
    function joinOpen(address signingKey, address payout) external payable returns (uint32 node) {
        if (_openSamples == 0) revert InvitationNeeded();
        uint256 needed = _minimumStake + _openFee;
        if (msg.value < needed) revert StakeTooLow(msg.value, needed);
        node = _seat(msg.sender);
        if (_members[node].expelled) revert NodeIsExpelled(node);
        _enter(node, signingKey, payout, msg.value - _openFee, _openSamples, 0);
        _burn(_openFee);
    }

    /// @inheritdoc INodeRegistry
    function rotateKey(address newKey) external {
        uint32 node = indexOf(msg.sender);
        Member storage member = _members[node];
        (address signer, uint32 maxSamples) = _unpack(member.history.latest());
        if (signer == address(0)) revert NodeHasLeft(node);
        _checkKey(newKey);
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
        _leave(node, member);
    }

    /// @inheritdoc INodeRegistry
    function expel(TypedData.Expulsion calldata expulsion, bytes[] calldata signatures) external {
        (uint64 round, uint32 node) = (expulsion.round, expulsion.node);
        Member storage member = _member(node);
        if (round < member.joined || _ledger.stateOf(round) != IRoundLedger.State.Final) {
            revert NotExpellable(node, round);
        }
        if (member.expelled) revert NodeIsExpelled(node);
        _verifyQuorum(round, _digest(TypedData.hash(expulsion)), signatures);
        member.expelled = true;
        emit NodeExpelled(node, round);
        if (member.history.latest() != 0) _leave(node, member);
    }

    /// @inheritdoc INodeRegistry
    function slashNode(uint32 node, address beneficiary) external onlyCourt {
        Member storage member = _member(node);
        uint256 amount = member.stake;
        if (amount == 0) revert NothingToSlash(node);
        member.stake = 0;
        member.unbondingUntil = 0;
        uint64 fromRound = _setMembership(member, address(0), 0);
        uint256 award = Math.min(_proofFee, amount / 2);
        emit StakeSlashed(node, amount, beneficiary, award, fromRound);
        _credit(beneficiary, award);
        _burn(amount - award);
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
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            mstore(entries, found)
        }
    }

    /// @inheritdoc INodeRegistry
    function nodeCount() public view override(INodeRegistry, Officers) returns (uint32) {
        return _nodeCount;
    }

    /// @inheritdoc INodeRegistry
    function nodeOf(uint32 node) external view returns (Node memory) {
        Member storage member = _member(node);
        (address signer, uint32 maxSamples) = _unpack(member.history.latest());
        return
            Node(member.owner, member.payout, member.stake, member.unbondingUntil, signer, maxSamples, member.expelled);
    }

    /// @inheritdoc INodeRegistry
    function payoutOf(uint32 node) external view returns (address payout) {
        payout = _members[node].payout;
        if (payout == address(0)) revert UnknownNode(node);
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
    function minimumStake() external view returns (uint256) {
        return _minimumStake;
    }

    /// @inheritdoc INodeRegistry
    function openTerms() external view returns (uint256 fee, uint32 maxSamples) {
        return (_openFee, _openSamples);
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev Checks that the invitation is for the caller, in time, unused and signed by an operator; uses it up.
    function _useInvitation(TypedData.Invitation calldata invitation, bytes calldata signature) private {
        if (msg.sender != invitation.owner) revert NotTheInvited(msg.sender, invitation.owner);
        if (block.timestamp > invitation.deadline) revert InvitationExpired(invitation.deadline);
        if (_invitationUsed[invitation.nonce]) revert InvitationUsed(invitation.nonce);
        address signer = ECDSA.recoverCalldata(_digest(TypedData.hash(invitation)), signature);
        if (!_ledger.hasRole(_ledger.OPERATOR_ROLE(), signer)) revert NotAnOperator(signer);
        _invitationUsed[invitation.nonce] = true;
    }

    /// @dev Makes the seated owner's node a member.
    function _enter(uint32 node, address key, address payout, uint256 stake, uint32 maxSamples, bytes32 nonce) private {
        _checkKey(key);
        if (payout == address(0)) revert BadPayout(payout);
        Member storage member = _members[node];
        member.payout = payout;
        member.stake = stake;
        uint64 fromRound = _setMembership(member, key, maxSamples);
        member.joined = SafeCast.toUint48(fromRound);
        emit NodeJoined(node, member.owner, key, payout, stake, maxSamples, nonce, fromRound);
    }

    /// @dev Ends a membership and starts to unbond its stake.
    function _leave(uint32 node, Member storage member) private {
        uint40 until = SafeCast.toUint40(block.timestamp) + _unbonding;
        member.unbondingUntil = until;
        emit NodeLeft(node, _setMembership(member, address(0), 0), until);
    }

    /// @dev The owner's permanent index: the one that it has, when it left and withdrew, or the next free one.
    function _seat(address owner) private returns (uint32 node) {
        if (_isScorer(owner)) revert ScorerCannotBeNode(owner);
        uint256 nodePlusOne = _nodePlusOneOf[owner];
        if (nodePlusOne != 0) {
            node = _index(nodePlusOne);
            Member storage member = _members[node];
            if (member.history.latest() != 0 || member.unbondingUntil != 0) revert AlreadyJoined(node);
        } else {
            node = _nodeCount;
            if (node == MAX_NODES) revert RegistryFull(MAX_NODES);
            _nodeCount = node + 1;
            _members[node].owner = owner;
            _nodePlusOneOf[owner] = uint256(node) + 1;
        }
    }

    /// @dev Nobody has a key for itself: all that is signed names the node, so a key in two places speaks for each alone, and
    /// who enters a key that it does not possess keeps no one from using it.
    function _checkKey(address key) private view {
        if (key == address(0)) revert BadSigningKey(key);
        if (_isScorer(key)) revert ScorerCannotBeNode(key);
    }

    /// @dev Sets a node's membership from the next round on, and returns that round.
    function _setMembership(Member storage member, address signer, uint32 maxSamples)
        private
        returns (uint64 fromRound)
    {
        fromRound = _nextRound();
        // What the checkpoint was before plays no part.
        // slither-disable-next-line unused-return
        member.history.push(SafeCast.toUint48(fromRound), (uint208(maxSamples) << 160) | uint160(signer));
    }

    /// @inheritdoc Officers
    function _isNode(address account) internal view override returns (bool) {
        return _nodePlusOneOf[account] != 0;
    }

    /// @dev What is signed for a struct of this federation.
    function _digest(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(TypedData.domainSeparator(address(_ledger)), structHash);
    }

    function _member(uint32 node) private view returns (Member storage) {
        if (node >= _nodeCount) revert UnknownNode(node);
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
