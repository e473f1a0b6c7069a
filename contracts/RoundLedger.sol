// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {LibBit} from "solady/utils/LibBit.sol";
import {Federation} from "./Federation.sol";
import {Governance} from "./Governance.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {ScoreVector} from "./libraries/ScoreVector.sol";
import {Trees} from "./libraries/Trees.sol";
import {TypedData} from "./libraries/TypedData.sol";

/// @title RoundLedger
/// @notice The rounds of a federation and the rewards that follow from them.
contract RoundLedger is Governance {
    using BitMaps for BitMaps.BitMap;

    /// @dev The version of everything that `inputs` binds a round to.
    uint32 private constant PROTOCOL_VERSION = 1;

    /// @param config What the federation is deployed with. Token, registry and court exist already and name this contract.
    constructor(Config memory config) Federation(config) Governance(config) {
        Record storage genesis = _records[0];
        genesis.state = State.Final;
        genesis.openedAt = _now();
        genesis.released = true; // It reserved nothing that could be given back.
        genesis.modelHash = config.genesisModel;
    }

    modifier onlyAggregator(uint64 round) {
        address aggregator = _registry.aggregatorAt(round);
        if (msg.sender != aggregator) revert NotTheAggregator(msg.sender, aggregator);
        _;
    }

    modifier onlyCourt() {
        if (msg.sender != _court) revert NotTheCourt(msg.sender, _court);
        _;
    }

    // ------------------------------------------------------------------------------------------------- aggregator

    /// @inheritdoc IRoundLedger
    function open(uint64 parent, bytes32 shards, bytes32 rootSet) external returns (uint64 round) {
        if (_paused) revert OpeningPaused();
        uint32 nodes = _registry.checkOpening(msg.sender);
        uint256 pending = _continue(parent);
        _reserve();
        round = ++_lastRound;
        _bind(
            round,
            pending,
            nodes,
            TypedData.Inputs({
                protocolVersion: PROTOCOL_VERSION,
                parent: parent,
                configHash: _configHash,
                taskHash: _taskHash,
                baseModel: _records[parent].modelHash,
                parentEvidence: _records[parent].evidenceRoot,
                shards: shards,
                rootSet: rootSet
            })
        );
    }

    /// @inheritdoc IRoundLedger
    function close(uint64 round, bytes32 updateRoot, uint32 commits) external onlyAggregator(round) {
        Record storage r = _inState(round, State.Open);
        if (updateRoot == 0) revert NoRoot();
        if (commits != r.commits) revert CommitsMissed(commits, r.commits);
        uint40 now_ = _now();
        uint40 closeBlock = SafeCast.toUint40(block.number);
        uint40 deadline = now_ + _revealTime + _graceTime + _proposeTime;
        r.state = State.Closed;
        r.closedEarly = now_ < r.openedAt + _commitTime;
        r.closeBlock = closeBlock;
        r.deadline = deadline;
        r.closing = updateRoot;
        emit RoundClosed(round, updateRoot, closeBlock, deadline);
    }

    /// @inheritdoc IRoundLedger
    function abandon(uint64 round) external onlyAggregator(round) {
        Record storage r = _inState(round, State.Open);
        r.state = State.Void;
        r.deadline = 0;
        emit RoundAbandoned(round);
    }

    // ----------------------------------------------------------------------------------------------------- anyone

    /// @inheritdoc IRoundLedger
    function commit(TypedData.Update calldata update, bytes calldata signature) external {
        (uint64 round, uint32 node) = (update.round, update.node);
        Record storage r = _inState(round, State.Open);
        uint40 until = r.openedAt + _commitTime;
        if (block.timestamp >= until) revert CommitsOver(round, until);
        if (update.inputs != r.inputs) revert WrongInputs(update.inputs, r.inputs);
        bytes32 baseModel = _records[r.parent].modelHash;
        if (update.baseModel != baseModel) revert WrongBase(update.baseModel, baseModel);
        (address key, uint32 maxSamples) = _registry.membershipAt(node, round);
        address signer =
            ECDSA.recoverCalldata(MessageHashUtils.toTypedDataHash(federation(), TypedData.hash(update)), signature);
        if (signer != key) revert NotTheNodesKey(signer, key);
        if (update.samples == 0 || update.samples > maxSamples) revert WrongSamples(update.samples, maxSamples);
        if (_commits[round][node] != 0) revert AlreadyCommitted(round, node);
        bytes32 leaf = Trees.updateLeaf(federation(), node, update, signature);
        _commits[round][node] = leaf;
        ++r.commits;
        emit UpdateCommitted(round, node, leaf, update, signature);
    }

    /// @inheritdoc IRoundLedger
    function seal(uint64 round) external {
        Record storage r = _inState(round, State.Closed);
        if (r.early != 0) revert AlreadySealed(round);
        r.early = _seedOf(round, r);
        emit RoundSealed(round, r.early);
    }

    /// @inheritdoc IRoundLedger
    function propose(uint64 round, Proposal calldata proposal, bytes[] calldata attestations) external {
        Record storage r = _inState(round, State.Closed);
        bytes32 seed = _seedOf(round, r);
        bytes32 scoresHash = keccak256(proposal.scores);
        TypedData.Attestation memory attestation =
            TypedData.Attestation(round, seed, proposal.evidenceRoot, scoresHash, proposal.modelHash);
        uint32 signers = _registry.verifyQuorum(
            round, MessageHashUtils.toTypedDataHash(federation(), TypedData.hash(attestation)), attestations
        );
        address scores = ScoreVector.write(proposal.scores, r.nodeCount);
        uint40 deadline = _now() + _window;
        r.state = State.Proposed;
        r.deadline = deadline;
        r.signers = signers;
        if (scores != address(0)) r.vector = ++_vectors;
        r.closing = seed;
        r.evidenceRoot = proposal.evidenceRoot;
        r.modelHash = proposal.modelHash;
        emit RoundProposed(
            round, seed, proposal.evidenceRoot, proposal.modelHash, scoresHash, scores, signers, deadline
        );
    }

    /// @inheritdoc IRoundLedger
    function release(uint64 round) external {
        Record storage r = _records[round];
        State state = stateOf(round);
        bool paysNobody = state == State.Void || (state == State.Final && r.vector == 0);
        if (!paysNobody || r.released) revert NothingToRelease(round);
        uint256 amount = _pool + _scorerPool;
        r.released = true;
        // Below the cap, which fits.
        // forge-lint: disable-next-line(unsafe-typecast)
        _reserved -= uint128(amount);
        emit ReservationReleased(round, amount);
    }

    /// @inheritdoc IRoundLedger
    function claim(uint32 node, uint64[] calldata rounds) external returns (uint256 amount) {
        BitMaps.BitMap storage done = _claimed[node];
        for (uint256 i; i < rounds.length; ++i) {
            _useUp(done, rounds[i]);
            amount += rewardOf(rounds[i], node);
        }
        // The sum of what the scores are worth, which nobody can add to.
        // slither-disable-next-line incorrect-equality
        if (amount == 0) revert NothingToClaim(node);
        address payout = _registry.payoutOf(node);
        emit RewardsClaimed(node, payout, rounds, amount);
        _token.mint(payout, amount);
    }

    /// @inheritdoc IRoundLedger
    function claimScorer(address scorer, uint64[] calldata rounds) external returns (uint256 amount) {
        BitMaps.BitMap storage done = _scorerClaimed[scorer];
        for (uint256 i; i < rounds.length; ++i) {
            uint64 round = rounds[i];
            _useUp(done, round);
            Record storage r = _records[round];
            uint256 signers = r.signers;
            // The registry is a contract of this federation, and one call a round is the caller's own choice of rounds.
            // slither-disable-next-line calls-loop
            bool signed = (signers >> _registry.scorerIndexAt(round, scorer)) & 1 == 1;
            if (signed && r.vector != 0) amount += _scorerPool / LibBit.popCount(signers);
        }
        if (amount == 0) revert NothingToClaimFor(scorer);
        emit ScorerRewardsClaimed(scorer, rounds, amount);
        _token.mint(scorer, amount);
    }

    // ------------------------------------------------------------------------------------------------------ court

    /// @inheritdoc IRoundLedger
    function suspend(uint64 round) external onlyCourt {
        State state = stateOf(round);
        if (state != State.Proposed && state != State.Disputed) revert WrongState(round, state);
        Record storage r = _records[round];
        uint40 now_ = _now();
        uint40 windowEnd = r.windowEnd == 0 ? r.deadline : r.windowEnd;
        if (now_ >= windowEnd) revert WindowOver(round, windowEnd);
        r.windowEnd = windowEnd;
        uint40 voted = now_ + 3 * _voteTime;
        if (voted > r.deadline) r.deadline = voted;
        r.state = State.Disputed;
        ++r.openDisputes;
        emit RoundDisputed(round, r.deadline);
    }

    /// @inheritdoc IRoundLedger
    function dismiss(uint64 round) external onlyCourt {
        if (stateOf(round) != State.Disputed) return;
        --_records[round].openDisputes;
        emit DisputeDismissed(round);
    }

    /// @inheritdoc IRoundLedger
    function annul(uint64 round) external onlyCourt {
        State state = stateOf(round);
        if (state == State.Final || state == State.Void) return;
        Record storage r = _records[round];
        r.state = State.Void;
        r.deadline = 0;
        emit RoundAnnulled(round);
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev Checks that a round may continue `parent` now, and returns how many rounds from there back are not Final.
    function _continue(uint64 parent) private view returns (uint256 pending) {
        uint64 last = tip();
        State state = stateOf(last);
        if (state == State.Open || state == State.Closed) revert RoundUndecided(last, state);
        if (parent != last) revert WrongParent(last);
        (, pending) = _finalFrom(parent);
        if (pending >= _maxPending) revert TooManyPending(pending, _maxPending);
    }

    /// @dev Takes what a round may mint from under the cap.
    function _reserve() private {
        uint256 taken = _reserved;
        uint256 wanted = _pool + _scorerPool;
        if (taken + wanted > _cap) revert CapReached(taken, wanted, _cap);
        // At most the cap, which fits.
        // forge-lint: disable-next-line(unsafe-typecast)
        _reserved = uint128(taken + wanted);
    }

    /// @dev Writes what an opened round is bound to.
    function _bind(uint64 round, uint256 pending, uint32 nodes, TypedData.Inputs memory inputs) private {
        Record storage r = _records[round];
        uint40 openedAt = _now();
        uint40 deadline = openedAt + _commitTime + _closeTime;
        bytes32 hashed = TypedData.hash(inputs);
        r.state = State.Open;
        r.parent = SafeCast.toUint32(inputs.parent);
        r.pending = SafeCast.toUint8(pending);
        r.openedAt = openedAt;
        r.deadline = deadline;
        r.nodeCount = SafeCast.toUint16(nodes);
        r.inputs = hashed;
        emit RoundOpened(
            round,
            inputs.parent,
            hashed,
            inputs.configHash,
            inputs.taskHash,
            inputs.baseModel,
            inputs.parentEvidence,
            inputs.shards,
            inputs.rootSet,
            nodes,
            deadline
        );
    }

    /// @dev Notes that a Final round is claimed, once.
    function _useUp(BitMaps.BitMap storage done, uint64 round) private {
        if (stateOf(round) != State.Final) revert NotFinal(round);
        if (done.get(round)) revert AlreadyClaimed(round);
        done.set(round);
    }

    /// @dev The seed of a closed round: the one stored early, or what the hash of its close block makes it. The chain knows the
    /// hashes of the last 256 blocks only, and not of this one.
    function _seedOf(uint64 round, Record storage r) private view returns (bytes32) {
        bytes32 early = r.early;
        if (early != 0) return early;
        uint40 closeBlock = r.closeBlock;
        if (block.number <= closeBlock) revert SeedNotReady(closeBlock);
        bytes32 closeBlockHash = blockhash(closeBlock);
        if (closeBlockHash == 0) revert SeedExpired(closeBlock);
        return TypedData.seed(federation(), round, r.closing, closeBlockHash);
    }
}
