// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {LibRLP} from "solady/utils/LibRLP.sol";
import {Federation} from "./Federation.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {ScoreVector} from "./libraries/ScoreVector.sol";

/// @title Rounds
/// @notice What the ledger keeps of its rounds, and what can be asked about them: the half of the ledger that only reads.
abstract contract Rounds is Federation, IRoundLedger {
    using BitMaps for BitMaps.BitMap;

    /// @dev `Round` as it is stored. The first ten fields fill one slot, and the next four a slot that most rounds leave
    /// empty. `pending` counts the rounds between this one and its ancestor. `vector` is the nonce of the ledger that its
    /// scores were stored with, which their address follows from (EIP-161: the first is 1), zero when all are zero. `closing`
    /// is the update root until the proposal and the seed from then on, which binds that root. `early` is a seed stored
    /// ahead of the proposal.
    struct Record {
        State state;
        uint32 parent;
        uint8 pending;
        uint40 openedAt;
        uint40 deadline;
        uint40 closeBlock;
        uint16 nodeCount;
        bool closedEarly;
        uint32 signers;
        uint32 vector;
        uint16 commits;
        uint16 openDisputes;
        uint40 windowEnd;
        bool released;
        bytes32 inputs;
        bytes32 closing;
        bytes32 evidenceRoot;
        bytes32 modelHash;
        bytes32 early;
    }

    // ---------------------------------------------------------------------------------------------------- storage

    /// @dev These four share a slot. `_vectors` counts the score vectors stored, all that this contract ever creates.
    uint64 internal _lastRound;
    uint128 internal _reserved;
    uint32 internal _vectors;
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
        // At most `maxPending - 1` rounds lie between a round and its ancestor.
        Record storage earlier = r;
        for (uint256 between = r.pending; between > 0; --between) {
            earlier = _records[earlier.parent];
            State before = _ownState(earlier);
            if (before == State.Void) return State.Void;
            if (before != State.Final && state == State.Final) state = r.state;
        }
    }

    /// @inheritdoc IRoundLedger
    function roundOf(uint64 round) external view returns (Round memory) {
        Record memory r = _records[round];
        bool proposed = r.signers != 0;
        uint64 ancestor = r.parent;
        for (uint256 between = r.pending; between > 0; --between) {
            ancestor = _records[ancestor].parent;
        }
        return Round({
            state: stateOf(round),
            parent: r.parent,
            ancestor: ancestor,
            openedAt: r.openedAt,
            deadline: r.deadline,
            closeBlock: r.closeBlock,
            nodeCount: r.nodeCount,
            commits: r.commits,
            closedEarly: r.closedEarly,
            released: r.released,
            scores: _vectorOf(round),
            signers: r.signers,
            windowEnd: r.windowEnd == 0 && proposed ? r.deadline : r.windowEnd,
            openDisputes: r.openDisputes,
            inputs: r.inputs,
            updateRoot: proposed ? bytes32(0) : r.closing,
            seed: proposed ? r.closing : r.early,
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
        return ScoreVector.scoreAt(_vectorOf(round), node);
    }

    /// @inheritdoc IRoundLedger
    function scoresOf(uint64 round) external view returns (bytes memory) {
        return ScoreVector.read(_vectorOf(round));
    }

    /// @inheritdoc IRoundLedger
    function rewardOf(uint64 round, uint32 node) public view returns (uint256) {
        // The pool is a multiple of the scores' total, as the constructor checks.
        // slither-disable-next-line divide-before-multiply
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

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev The nearest Final round from `round` back, and how many that are not Final lie on the way, `round` included.
    function _finalFrom(uint64 round) internal view returns (uint64 ancestor, uint256 pending) {
        for (ancestor = round; stateOf(ancestor) != State.Final; ++pending) {
            ancestor = _records[ancestor].parent;
        }
    }

    /// @dev The data contract with a round's scores, zero when all are zero.
    function _vectorOf(uint64 round) internal view returns (address) {
        uint32 nonce = _records[round].vector;
        // A nonce is counted by the ledger alone.
        // slither-disable-next-line incorrect-equality
        return nonce == 0 ? address(0) : LibRLP.computeAddress(address(this), nonce);
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
