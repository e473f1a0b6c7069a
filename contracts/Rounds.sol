// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Federation} from "./Federation.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {ScoreVector} from "./libraries/ScoreVector.sol";

/// @title Rounds
/// @notice What the ledger keeps of its rounds, and what can be asked about them: the half of the ledger that only reads.
abstract contract Rounds is Federation {
    using BitMaps for BitMaps.BitMap;

    /// @dev `Round` as it is stored: the first ten fields fill one slot, the next four are written first by `propose`.
    struct Record {
        State state;
        uint40 parent;
        uint40 ancestor;
        uint40 openedAt;
        uint40 deadline;
        uint40 closeBlock;
        uint16 nodeCount;
        uint16 commits;
        bool closedEarly;
        bool released;
        address scores;
        uint32 signers;
        uint40 windowEnd;
        uint16 openDisputes;
        bytes32 inputs;
        bytes32 updateRoot;
        bytes32 seed;
        bytes32 evidenceRoot;
        bytes32 modelHash;
    }

    // ---------------------------------------------------------------------------------------------------- storage

    /// @dev These three share a slot, which `open` writes once.
    uint64 internal _lastRound;
    uint128 internal _reserved;
    bool internal _paused;

    mapping(uint64 round => Record) internal _records;
    mapping(uint64 round => mapping(uint32 node => bytes32 leaf)) internal _commits;
    mapping(uint32 node => BitMaps.BitMap) internal _claimed;
    mapping(address scorer => BitMaps.BitMap) internal _scorerClaimed;

    // ------------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IRoundLedger
    function stateOf(uint64 round) public view returns (State state) {
        Record storage r = _records[round];
        state = _ownState(r);
        if (state == State.None || state == State.Void) return state;
        // At most `maxPending - 1` rounds lie between a round and its ancestor.
        uint40 ancestor = r.ancestor;
        for (uint40 at_ = r.parent; at_ > ancestor; at_ = _records[at_].parent) {
            State earlier = _ownState(_records[at_]);
            if (earlier == State.Void) return State.Void;
            if (earlier != State.Final && state == State.Final) state = r.state;
        }
    }

    /// @inheritdoc IRoundLedger
    function roundOf(uint64 round) external view returns (Round memory) {
        Record memory r = _records[round];
        return Round({
            state: stateOf(round),
            parent: r.parent,
            ancestor: r.ancestor,
            openedAt: r.openedAt,
            deadline: r.deadline,
            closeBlock: r.closeBlock,
            nodeCount: r.nodeCount,
            commits: r.commits,
            closedEarly: r.closedEarly,
            released: r.released,
            scores: r.scores,
            signers: r.signers,
            windowEnd: r.windowEnd,
            openDisputes: r.openDisputes,
            inputs: r.inputs,
            updateRoot: r.updateRoot,
            seed: r.seed,
            evidenceRoot: r.evidenceRoot,
            modelHash: r.modelHash
        });
    }

    /// @inheritdoc IRoundLedger
    function lastRound() external view returns (uint64) {
        return _lastRound;
    }

    /// @inheritdoc IRoundLedger
    function tip() public view returns (uint64 round) {
        // What was opened between a round and its parent was Void then, and Void is for ever.
        round = _lastRound;
        while (stateOf(round) == State.Void) {
            round = _records[round].parent;
        }
    }

    /// @inheritdoc IRoundLedger
    function latestFinal() external view returns (uint64 round) {
        (round,) = _finalFrom(tip());
    }

    /// @inheritdoc IRoundLedger
    function scoreOf(uint64 round, uint32 node) public view returns (uint24) {
        return ScoreVector.scoreAt(_records[round].scores, node);
    }

    /// @inheritdoc IRoundLedger
    function scoresOf(uint64 round) external view returns (bytes memory) {
        return ScoreVector.read(_records[round].scores);
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
    function scorerClaimed(address scorer, uint64 round) external view returns (bool) {
        return _scorerClaimed[scorer].get(round);
    }

    /// @inheritdoc IRoundLedger
    function commitOf(uint64 round, uint32 node) external view returns (bytes32) {
        return _commits[round][node];
    }

    /// @inheritdoc IRoundLedger
    function reserved() external view returns (uint256) {
        return _reserved;
    }

    /// @inheritdoc IRoundLedger
    function paused() external view returns (bool) {
        return _paused;
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev The nearest Final round from `round` back, and how many that are not Final lie on the way, `round` included.
    function _finalFrom(uint64 round) internal view returns (uint64 ancestor, uint256 pending) {
        for (ancestor = round; stateOf(ancestor) != State.Final; ++pending) {
            ancestor = _records[ancestor].parent;
        }
    }

    /// @dev The stored round, which must be in `state` now.
    function _inState(uint64 round, State state) internal view returns (Record storage) {
        State current = stateOf(round);
        if (current != state) revert WrongState(round, current);
        return _records[round];
    }

    /// @dev The state that a round would have if all before it were Final.
    function _ownState(Record storage r) private view returns (State state) {
        state = r.state;
        if (block.timestamp < r.deadline) return state;
        if (state == State.Open || state == State.Closed) return State.Void;
        if (state == State.Proposed) return State.Final;
        // What the scorers did not decide in time is not good enough to be paid for.
        if (state == State.Disputed) return r.openDisputes == 0 ? State.Final : State.Void;
    }
}
