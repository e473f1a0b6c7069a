// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {LibBit} from "solady/utils/LibBit.sol";
import {IOfficers} from "./interfaces/IOfficers.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";

/// @title Officers
/// @notice The aggregator and the scorers of a federation: who they were in every round, and whether a quorum of them signed.
/// @dev Their history is one checkpoint a change, keyed by the first round that it holds for.
abstract contract Officers is IOfficers {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev What a checkpoint packs into one value: the aggregator, the bonds that count (bit i for scorer i, the highest bit
    /// for the aggregator), and the number of the list of scorers.
    struct Snapshot {
        address aggregator;
        uint32 bonds;
        uint16 set;
    }

    // ------------------------------------------------------------------------------------------------- immutables

    /// @dev There are at most 31 scorers, so this bit is free.
    uint32 internal constant AGGREGATOR_BIT = 1 << 31;

    IRoundLedger internal immutable _ledger;

    // ---------------------------------------------------------------------------------------------------- storage

    Checkpoints.Trace208 private _history;
    uint16 private _setCount;
    mapping(uint256 set => address[] scorers) private _sets;
    mapping(uint256 set => mapping(address scorer => uint256 indexPlusOne)) private _indexPlusOne;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @dev The bonds of the first officers all count: whoever deploys puts them down.
    constructor(address ledger_, address aggregator, address[] memory scorers) {
        _ledger = IRoundLedger(ledger_);
        // The ledger does not exist yet, and its first round is number 1.
        uint16 set = _appoint(aggregator, scorers, 1);
        Snapshot memory first = Snapshot(aggregator, AGGREGATOR_BIT, set);
        for (uint256 i; i < scorers.length; ++i) {
            first.bonds |= _bit(i);
        }
        _push(1, first);
    }

    // ----------------------------------------------------------------------------------------------------- ledger

    /// @inheritdoc IOfficers
    function appoint(address aggregator, address[] calldata scorers) external {
        if (msg.sender != address(_ledger)) revert NotTheLedger(msg.sender, address(_ledger));
        uint64 fromRound = _nextRound();
        uint16 set = _appoint(aggregator, scorers, fromRound);
        Snapshot memory next = Snapshot(aggregator, 0, set);
        if (_hasBond(aggregator, AGGREGATOR_BIT)) next.bonds = AGGREGATOR_BIT;
        for (uint256 i; i < scorers.length; ++i) {
            if (_hasBond(scorers[i], _bit(i))) next.bonds |= _bit(i);
        }
        _push(fromRound, next);
    }

    // ------------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IOfficers
    function checkOpening(address caller) external view returns (uint32 nodes) {
        Snapshot memory officers = _latest();
        if (caller != officers.aggregator) revert NotTheAggregator(caller, officers.aggregator);
        if (officers.bonds & AGGREGATOR_BIT == 0) revert AggregatorNotBonded(caller);
        uint256 bonded = LibBit.popCount(officers.bonds ^ AGGREGATOR_BIT);
        uint256 quorum = _quorum(officers.set);
        if (bonded < quorum) revert TooFewBonds(bonded, quorum);
        return nodeCount();
    }

    /// @inheritdoc IOfficers
    function verifyQuorum(uint64 round, bytes32 digest, bytes[] calldata signatures)
        external
        view
        returns (uint32 signers)
    {
        return _verifyQuorum(round, digest, signatures);
    }

    /// @inheritdoc IOfficers
    function aggregatorAt(uint64 round) external view returns (address) {
        return _at(round).aggregator;
    }

    /// @inheritdoc IOfficers
    function scorersAt(uint64 round) external view returns (address[] memory) {
        return _sets[_at(round).set];
    }

    /// @inheritdoc IOfficers
    function bondedAt(uint64 round) external view returns (uint32) {
        return _at(round).bonds & ~AGGREGATOR_BIT;
    }

    /// @inheritdoc IOfficers
    function scorerIndexAt(uint64 round, address scorer) external view returns (uint256) {
        return _scorerIndex(_at(round).set, scorer);
    }

    /// @inheritdoc IOfficers
    function quorumAt(uint64 round) external view returns (uint256) {
        return _quorum(_at(round).set);
    }

    /// @inheritdoc IOfficers
    function ledger() external view returns (address) {
        return address(_ledger);
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev How many node indices were given out.
    function nodeCount() public view virtual returns (uint32);

    /// @dev Whether an account owns a node. A signing key is no sign of it: whoever binds a key need not possess it, so any
    /// node could bind an announced scorer's, and keep the change of scorers from ever taking effect.
    function _isNode(address account) internal view virtual returns (bool);

    /// @dev Whether an account has, and is not unbonding, the bond that this seat needs.
    function _hasBond(address account, uint32 seat) internal view virtual returns (bool);

    function _isScorer(address account) internal view returns (bool) {
        return _indexPlusOne[_latest().set][account] != 0;
    }

    /// @dev The first round that a change made now holds for.
    function _nextRound() internal view returns (uint64) {
        return _ledger.lastRound() + 1;
    }

    /// @dev The seat of an account, which is its bit among the bonds, as things stand now; zero when it has none.
    function _seatOf(address account) internal view returns (uint32) {
        return _seatIn(_latest(), account);
    }

    /// @dev Whether the bond of `account` counts from the next round on, which is returned.
    function _setBond(address account, bool counts) internal returns (uint64 fromRound) {
        fromRound = _nextRound();
        Snapshot memory officers = _latest();
        uint32 seat = _seatIn(officers, account);
        uint32 bonds = counts ? officers.bonds | seat : officers.bonds & ~seat;
        if (bonds == officers.bonds) return fromRound;
        officers.bonds = bonds;
        _push(fromRound, officers);
    }

    /// @dev Ascending addresses make "each once" a comparison.
    function _verifyQuorum(uint64 round, bytes32 digest, bytes[] calldata signatures)
        internal
        view
        returns (uint32 signers)
    {
        Snapshot memory officers = _at(round);
        uint256 quorum = _quorum(officers.set);
        if (signatures.length < quorum) revert QuorumMissed(signatures.length, quorum);
        address previous = address(0);
        for (uint256 i; i < signatures.length; ++i) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            if (signer <= previous) revert SignersUnsorted(previous, signer);
            previous = signer;
            uint32 bit = _bit(_scorerIndex(officers.set, signer));
            if (officers.bonds & bit == 0) revert ScorerNotBonded(signer);
            signers |= bit;
        }
    }

    // ---------------------------------------------------------------------------------------------------- private

    /// @dev Checks who is appointed, and gives the list of scorers the next number.
    function _appoint(address aggregator, address[] memory scorers, uint64 fromRound) private returns (uint16 set) {
        if (aggregator == address(0)) revert BadAggregator(aggregator);
        if (scorers.length % 3 != 1 || scorers.length > 31) revert BadScorerCount(scorers.length);
        set = _setCount++;
        _sets[set] = scorers;
        for (uint256 i; i < scorers.length; ++i) {
            address scorer = scorers[i];
            bool known = _indexPlusOne[set][scorer] != 0;
            if (scorer == address(0) || known || scorer == aggregator || _isNode(scorer)) revert BadScorer(scorer);
            _indexPlusOne[set][scorer] = i + 1;
        }
        emit AggregatorAppointed(aggregator, fromRound);
        emit ScorersAppointed(scorers, fromRound);
    }

    function _push(uint64 fromRound, Snapshot memory officers) private {
        uint208 value =
            uint208(uint160(officers.aggregator)) | (uint208(officers.bonds) << 160) | (uint208(officers.set) << 192);
        // What the checkpoint was before plays no part.
        // slither-disable-next-line unused-return
        _history.push(SafeCast.toUint48(fromRound), value);
    }

    function _at(uint64 round) private view returns (Snapshot memory) {
        return _asSnapshot(_history.upperLookupRecent(SafeCast.toUint48(round)));
    }

    function _latest() private view returns (Snapshot memory) {
        return _asSnapshot(_history.latest());
    }

    function _seatIn(Snapshot memory officers, address account) private view returns (uint32) {
        if (account == officers.aggregator) return AGGREGATOR_BIT;
        uint256 indexPlusOne = _indexPlusOne[officers.set][account];
        return indexPlusOne == 0 ? 0 : _bit(indexPlusOne - 1);
    }

    function _scorerIndex(uint256 set, address scorer) private view returns (uint256) {
        uint256 indexPlusOne = _indexPlusOne[set][scorer];
        if (indexPlusOne == 0) revert NotAScorer(scorer);
        return indexPlusOne - 1;
    }

    /// @dev 2f + 1 of 3f + 1.
    function _quorum(uint256 set) private view returns (uint256) {
        return (2 * _sets[set].length + 1) / 3;
    }

    function _bit(uint256 index) private pure returns (uint32) {
        // A power of two below 2^31, as meant: an index is below 31.
        // forge-lint: disable-next-line(incorrect-shift,unsafe-typecast)
        return uint32(1 << index);
    }

    function _asSnapshot(uint208 value) private pure returns (Snapshot memory) {
        // Truncation is the point.
        // forge-lint: disable-next-line(unsafe-typecast)
        return Snapshot(address(uint160(value)), uint32(value >> 160), uint16(value >> 192));
    }
}
