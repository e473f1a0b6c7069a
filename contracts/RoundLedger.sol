// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Federation} from "./Federation.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {ScoreVector} from "./libraries/ScoreVector.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title RoundLedger
/// @notice The rounds of a federation and the rewards that follow from them.
contract RoundLedger is Federation, AccessControlDefaultAdminRules {
    using BitMaps for BitMaps.BitMap;

    // ------------------------------------------------------------------------------------------------- immutables

    /// @inheritdoc IRoundLedger
    bytes32 public constant AGGREGATOR_ROLE = keccak256("AGGREGATOR_ROLE");
    /// @inheritdoc IRoundLedger
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @dev The version of everything that `inputs` binds a round to.
    uint32 private constant PROTOCOL_VERSION = 1;

    // ---------------------------------------------------------------------------------------------------- storage

    uint64 private _lastRound;
    uint256 private _reserved;
    mapping(uint64 round => Round) private _rounds;
    mapping(uint32 node => BitMaps.BitMap) private _claimed;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @param config What the federation is deployed with. Token and registry exist already and name this contract.
    constructor(Config memory config)
        Federation(config)
        AccessControlDefaultAdminRules(config.adminDelay, config.admin)
    {
        _grantRole(AGGREGATOR_ROLE, config.aggregator);
        _grantRole(OPERATOR_ROLE, config.operator);

        Round storage genesis = _rounds[0];
        genesis.state = State.Final;
        genesis.openedAt = _now();
        genesis.released = true; // It reserved nothing that could be given back.
        genesis.modelHash = config.genesisModel;
    }

    // ------------------------------------------------------------------------------------------------- aggregator

    /// @inheritdoc IRoundLedger
    function open(uint64 parent, bytes32 shards, bytes32 rootSet)
        external
        onlyRole(AGGREGATOR_ROLE)
        returns (uint64 round)
    {
        round = _lastRound;
        State last = stateOf(round);
        if (last != State.Final && last != State.Void) revert RoundUndecided(round, last);
        if (parent != latestFinal()) revert WrongParent(latestFinal());
        uint256 cap = _token.cap();
        if (_reserved + _pool > cap) revert CapReached(_reserved, _pool, cap);

        _lastRound = ++round;
        _reserved += _pool;
        _bind(
            round,
            TypedData.Inputs({
                protocolVersion: PROTOCOL_VERSION,
                parent: parent,
                configHash: _configHash,
                taskHash: _taskHash,
                baseModel: _rounds[parent].modelHash,
                parentEvidence: _rounds[parent].evidenceRoot,
                shards: shards,
                rootSet: rootSet
            })
        );
    }

    /// @inheritdoc IRoundLedger
    function close(uint64 round, bytes32 updateRoot) external onlyRole(AGGREGATOR_ROLE) {
        Round storage r = _inState(round, State.Open);
        uint64 closeBlock = SafeCast.toUint64(block.number);
        uint40 deadline = _now() + _timing.revealTime + _timing.proposeTime;
        r.state = State.Closed;
        r.closeBlock = closeBlock;
        r.deadline = deadline;
        r.updateRoot = updateRoot;
        emit RoundClosed(round, updateRoot, closeBlock, deadline);
    }

    /// @inheritdoc IRoundLedger
    function abandon(uint64 round) external onlyRole(AGGREGATOR_ROLE) {
        Round storage r = _inState(round, State.Open);
        r.state = State.Void;
        r.deadline = 0;
        emit RoundAbandoned(round);
    }

    // ----------------------------------------------------------------------------------------------------- anyone

    /// @inheritdoc IRoundLedger
    function propose(uint64 round, Proposal calldata proposal, bytes[] calldata attestations) external {
        Round storage r = _inState(round, State.Closed);
        bytes32 seed = _seedOf(round, r);
        bytes32 scoresHash = keccak256(proposal.scores);
        uint32 signers = _verify(
            TypedData.Attestation(round, seed, proposal.evidenceRoot, scoresHash, proposal.modelHash), attestations
        );
        address scores = ScoreVector.write(proposal.scores, r.nodeCount);
        uint40 deadline = _now() + _timing.window;
        r.state = State.Proposed;
        r.deadline = deadline;
        r.scores = scores;
        r.signers = signers;
        r.seed = seed;
        r.evidenceRoot = proposal.evidenceRoot;
        r.modelHash = proposal.modelHash;
        emit RoundProposed(
            round, seed, proposal.evidenceRoot, proposal.modelHash, scoresHash, scores, signers, deadline
        );
    }

    /// @inheritdoc IRoundLedger
    function release(uint64 round) external {
        Round storage r = _rounds[round];
        State state = stateOf(round);
        bool paysNobody = state == State.Void || (state == State.Final && r.scores == address(0));
        if (!paysNobody || r.released) revert NothingToRelease(round);
        r.released = true;
        _reserved -= _pool;
        emit ReservationReleased(round, _pool);
    }

    /// @inheritdoc IRoundLedger
    function claim(uint32 node, uint64[] calldata rounds) external returns (uint256 amount) {
        BitMaps.BitMap storage done = _claimed[node];
        for (uint256 i; i < rounds.length; ++i) {
            uint64 round = rounds[i];
            if (stateOf(round) != State.Final) revert NotFinal(round);
            if (done.get(round)) revert AlreadyClaimed(round);
            done.set(round);
            amount += rewardOf(round, node);
        }
        if (amount == 0) revert NothingToClaim(node);
        address payout = _registry.payoutOf(node);
        emit RewardsClaimed(node, payout, rounds, amount);
        _token.mint(payout, amount);
    }

    // ------------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IRoundLedger
    function stateOf(uint64 round) public view returns (State state) {
        Round storage r = _rounds[round];
        state = r.state;
        if (block.timestamp < r.deadline) return state;
        if (state == State.Open || state == State.Closed) return State.Void;
        if (state == State.Proposed) return State.Final;
    }

    /// @inheritdoc IRoundLedger
    function roundOf(uint64 round) external view returns (Round memory r) {
        r = _rounds[round];
        r.state = stateOf(round);
    }

    /// @inheritdoc IRoundLedger
    function lastRound() external view returns (uint64) {
        return _lastRound;
    }

    /// @inheritdoc IRoundLedger
    function latestFinal() public view returns (uint64) {
        // One round at most is undecided, and it opened on the latest Final round of then.
        uint64 last = _lastRound;
        return stateOf(last) == State.Final ? last : _rounds[last].parent;
    }

    /// @inheritdoc IRoundLedger
    function scoreOf(uint64 round, uint32 node) public view returns (uint24) {
        return ScoreVector.scoreAt(_rounds[round].scores, node);
    }

    /// @inheritdoc IRoundLedger
    function scoresOf(uint64 round) external view returns (bytes memory) {
        return ScoreVector.read(_rounds[round].scores);
    }

    /// @inheritdoc IRoundLedger
    function rewardOf(uint64 round, uint32 node) public view returns (uint256) {
        return scoreOf(round, node) * (_pool / SCORE_TOTAL);
    }

    /// @inheritdoc IRoundLedger
    function claimed(uint32 node, uint64 round) external view returns (bool) {
        return _claimed[node].get(round);
    }

    /// @inheritdoc IRoundLedger
    function reserved() external view returns (uint256) {
        return _reserved;
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev Writes what an opened round is bound to.
    function _bind(uint64 round, TypedData.Inputs memory inputs) private {
        Round storage r = _rounds[round];
        uint40 openedAt = _now();
        r.state = State.Open;
        r.parent = inputs.parent;
        r.openedAt = openedAt;
        r.deadline = openedAt + _timing.commitTime + _timing.closeTime;
        r.nodeCount = _registry.nodeCount();
        r.inputs = TypedData.hash(inputs);
        emit RoundOpened(
            round,
            inputs.parent,
            r.inputs,
            inputs.configHash,
            inputs.taskHash,
            inputs.baseModel,
            inputs.parentEvidence,
            inputs.shards,
            inputs.rootSet,
            r.nodeCount,
            r.deadline
        );
    }

    /// @dev The stored round, which must be in `state` now.
    function _inState(uint64 round, State state) private view returns (Round storage) {
        State current = stateOf(round);
        if (current != state) revert WrongState(round, current);
        return _rounds[round];
    }

    /// @dev The seed of a closed round. The chain knows the hashes of the last 256 blocks only, and not of this one.
    function _seedOf(uint64 round, Round storage r) private view returns (bytes32) {
        uint64 closeBlock = r.closeBlock;
        if (block.number <= closeBlock) revert SeedNotReady(closeBlock);
        bytes32 closeBlockHash = blockhash(closeBlock);
        if (closeBlockHash == 0) revert SeedExpired(closeBlock);
        return TypedData.seed(federation(), round, r.updateRoot, closeBlockHash);
    }

    /// @dev Checks that a quorum of scorers signed the attestation, each once, and returns them as a bitmap. Ascending
    /// addresses make "each once" a comparison.
    function _verify(TypedData.Attestation memory attestation, bytes[] calldata attestations)
        private
        view
        returns (uint32 signers)
    {
        uint256 quorum = _registry.quorum();
        if (attestations.length < quorum) revert QuorumMissed(attestations.length, quorum);
        bytes32 digest = MessageHashUtils.toTypedDataHash(federation(), TypedData.hash(attestation));
        address previous = address(0);
        for (uint256 i; i < attestations.length; ++i) {
            address signer = ECDSA.recoverCalldata(digest, attestations[i]);
            if (signer <= previous) revert AttestationsUnsorted(previous, signer);
            previous = signer;
            // A power of two, as meant.
            // forge-lint: disable-next-line(incorrect-shift)
            signers |= SafeCast.toUint32(1 << _registry.scorerIndex(signer));
        }
    }

    function _now() private view returns (uint40) {
        return SafeCast.toUint40(block.timestamp);
    }
}
