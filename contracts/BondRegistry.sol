// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {LibBit} from "solady/utils/LibBit.sol";
import {IBondRegistry} from "./interfaces/IBondRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";

/// @title BondRegistry
/// @notice The aggregator and the scorers of a federation, and all money that the registry holds for anybody.
/// @dev Their history is one checkpoint a change, keyed by the first round that it holds for: the aggregator, the bonds
/// that count (bit i for scorer i, the highest bit for the aggregator) and the number of the set of scorers, in one value.
abstract contract BondRegistry is IBondRegistry {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev `set` numbers the lists of scorers; `bonds` are as in the checkpoint.
    struct Officers {
        address aggregator;
        uint32 bonds;
        uint16 set;
    }

    struct Bond {
        uint256 amount;
        uint40 unbondingUntil;
    }

    /// @notice The amounts that a federation fixes for ever, in wei.
    /// @param minimumStake The least stake of a node.
    /// @param aggregatorBond The bond of the aggregator.
    /// @param scorerBond The bond of every scorer.
    /// @param proofFee What a prover gets of a slashed stake or bond when nobody was wronged.
    /// @param openFee What joining without an invitation costs, besides the stake.
    struct Amounts {
        uint256 minimumStake;
        uint256 aggregatorBond;
        uint256 scorerBond;
        uint256 proofFee;
        uint256 openFee;
    }

    // ------------------------------------------------------------------------------------------------- immutables

    /// @dev There are at most 31 scorers, so this bit is free.
    uint32 private constant AGGREGATOR_BIT = 1 << 31;

    IRoundLedger internal immutable _ledger;
    address private immutable _court;
    uint40 internal immutable _unbonding;
    uint256 private immutable _aggregatorBond;
    uint256 private immutable _scorerBond;
    uint256 internal immutable _proofFee;

    // ---------------------------------------------------------------------------------------------------- storage

    Checkpoints.Trace208 private _history;
    uint16 private _setCount;
    mapping(uint256 set => address[] scorers) private _sets;
    mapping(uint256 set => mapping(address scorer => uint256 indexPlusOne)) private _indexPlusOne;
    mapping(address account => Bond) private _bonds;
    mapping(address account => uint256) private _owed;

    // ------------------------------------------------------------------------------------------------ constructor

    /// @dev The first bonds are put down by the deployer: `msg.value` is exactly their sum.
    constructor(
        address ledger_,
        address court_,
        uint40 unbonding_,
        Amounts memory amounts,
        address aggregator,
        address[] memory scorers
    ) payable {
        _ledger = IRoundLedger(ledger_);
        _court = court_;
        _unbonding = unbonding_;
        _aggregatorBond = amounts.aggregatorBond;
        _scorerBond = amounts.scorerBond;
        _proofFee = amounts.proofFee;
        uint256 least = Math.min(amounts.minimumStake, Math.min(amounts.aggregatorBond, amounts.scorerBond));
        if (amounts.proofFee > least / 2) revert ProofFeeTooHigh(amounts.proofFee, least / 2);
        uint256 expected = amounts.aggregatorBond + scorers.length * amounts.scorerBond;
        if (msg.value != expected) revert WrongBond(msg.value, expected);

        // The ledger does not exist yet, and its first round is number 1.
        _appoint(aggregator, scorers, 1);
        Officers memory officers = Officers(aggregator, AGGREGATOR_BIT, 0);
        _putDown(aggregator, amounts.aggregatorBond, 1);
        for (uint256 i; i < scorers.length; ++i) {
            officers.bonds |= _bit(i);
            _putDown(scorers[i], amounts.scorerBond, 1);
        }
        _push(1, officers);
    }

    modifier onlyCourt() {
        if (msg.sender != _court) revert NotTheCourt(msg.sender, _court);
        _;
    }

    // ------------------------------------------------------------------------------------------------------ bonds

    /// @inheritdoc IBondRegistry
    function depositBond(address account) external payable {
        Officers memory officers = _latest();
        (uint32 bit, uint256 required) = _seat(officers, account);
        if (bit == 0) revert NotAppointed(account);
        uint256 held = _bonds[account].amount;
        uint256 missing = held < required ? required - held : 0;
        bool unbonding_ = _bonds[account].unbondingUntil != 0;
        if (unbonding_ && msg.sender != account) revert BondIsUnbonding(account, msg.sender);
        // Without anything missing, this only ends an unbonding.
        if (msg.value != missing || (missing == 0 && !unbonding_)) revert WrongBond(msg.value, missing);
        officers.bonds |= bit;
        uint64 fromRound = _nextRound();
        _push(fromRound, officers);
        _putDown(account, msg.value, fromRound);
    }

    /// @inheritdoc IBondRegistry
    function unbond() external {
        Bond storage bond = _bonds[msg.sender];
        if (bond.amount == 0 || bond.unbondingUntil != 0) revert NothingToUnbond(msg.sender);
        uint40 until = SafeCast.toUint40(block.timestamp) + _unbonding;
        bond.unbondingUntil = until;
        emit BondUnbonding(msg.sender, _clear(msg.sender), until);
    }

    /// @inheritdoc IBondRegistry
    function withdrawBond(address account) external {
        Bond storage bond = _bonds[account];
        uint40 until = bond.unbondingUntil;
        if (until == 0) revert NotUnbonding(account);
        if (block.timestamp < until) revert BondLocked(account, until);
        uint256 amount = bond.amount;
        delete _bonds[account];
        emit BondWithdrawn(account, amount);
        Address.sendValue(payable(account), amount);
    }

    /// @inheritdoc IBondRegistry
    function collect(address account) external {
        uint256 amount = _owed[account];
        if (amount == 0) revert NothingOwed(account);
        _owed[account] = 0;
        emit Collected(account, amount);
        Address.sendValue(payable(account), amount);
    }

    /// @inheritdoc IBondRegistry
    function credit(address account) external payable {
        _credit(account, msg.value);
    }

    /// @inheritdoc IBondRegistry
    function slashBond(address account, address beneficiary, bool wronged) external onlyCourt {
        uint256 amount = _bonds[account].amount;
        if (amount == 0) return;
        delete _bonds[account];
        _clear(account);
        uint256 award = wronged ? amount / 2 : Math.min(_proofFee, amount / 2);
        emit BondSlashed(account, amount, beneficiary, award);
        _credit(beneficiary, award);
        _burn(amount - award);
    }

    /// @inheritdoc IBondRegistry
    function appoint(address aggregator, address[] calldata scorers) external {
        if (msg.sender != address(_ledger)) revert NotTheLedger(msg.sender, address(_ledger));
        uint64 fromRound = _nextRound();
        uint16 set = _appoint(aggregator, scorers, fromRound);
        Officers memory officers = Officers(aggregator, 0, set);
        if (_counts(aggregator, _aggregatorBond)) officers.bonds = AGGREGATOR_BIT;
        for (uint256 i; i < scorers.length; ++i) {
            if (_counts(scorers[i], _scorerBond)) officers.bonds |= _bit(i);
        }
        _push(fromRound, officers);
    }

    // ------------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IBondRegistry
    function checkOpening(address caller) external view returns (uint32 nodes) {
        Officers memory officers = _latest();
        if (caller != officers.aggregator) revert NotTheAggregator(caller, officers.aggregator);
        if (officers.bonds & AGGREGATOR_BIT == 0) revert AggregatorNotBonded(caller);
        uint256 bonded = LibBit.popCount(officers.bonds ^ AGGREGATOR_BIT);
        uint256 quorum = _quorum(officers.set);
        if (bonded < quorum) revert TooFewBonds(bonded, quorum);
        return nodeCount();
    }

    /// @inheritdoc IBondRegistry
    function verifyQuorum(uint64 round, bytes32 digest, bytes[] calldata signatures)
        external
        view
        returns (uint32 signers)
    {
        return _verifyQuorum(round, digest, signatures);
    }

    /// @inheritdoc IBondRegistry
    function aggregatorAt(uint64 round) external view returns (address) {
        return _at(round).aggregator;
    }

    /// @inheritdoc IBondRegistry
    function scorersAt(uint64 round) external view returns (address[] memory) {
        return _sets[_at(round).set];
    }

    /// @inheritdoc IBondRegistry
    function bondedAt(uint64 round) external view returns (uint32) {
        return _at(round).bonds & ~AGGREGATOR_BIT;
    }

    /// @inheritdoc IBondRegistry
    function scorerIndexAt(uint64 round, address scorer) external view returns (uint256) {
        return _scorerIndex(_at(round).set, scorer);
    }

    /// @inheritdoc IBondRegistry
    function quorumAt(uint64 round) external view returns (uint256) {
        return _quorum(_at(round).set);
    }

    /// @inheritdoc IBondRegistry
    function bondOf(address account) external view returns (uint256 amount, uint40 unbondingUntil) {
        return (_bonds[account].amount, _bonds[account].unbondingUntil);
    }

    /// @inheritdoc IBondRegistry
    function owed(address account) external view returns (uint256) {
        return _owed[account];
    }

    /// @inheritdoc IBondRegistry
    function aggregatorBond() external view returns (uint256) {
        return _aggregatorBond;
    }

    /// @inheritdoc IBondRegistry
    function scorerBond() external view returns (uint256) {
        return _scorerBond;
    }

    /// @inheritdoc IBondRegistry
    function proofFee() external view returns (uint256) {
        return _proofFee;
    }

    /// @inheritdoc IBondRegistry
    function court() external view returns (address) {
        return _court;
    }

    /// @inheritdoc IBondRegistry
    function ledger() external view returns (address) {
        return address(_ledger);
    }

    /// @inheritdoc IBondRegistry
    function unbonding() external view returns (uint40) {
        return _unbonding;
    }

    // --------------------------------------------------------------------------------------------------- internal

    /// @dev How many node indices were given out.
    function nodeCount() public view virtual returns (uint32);

    /// @dev Whether an account owns a node or signs for one.
    function _isNode(address account) internal view virtual returns (bool);

    function _isScorer(address account) internal view returns (bool) {
        return _indexPlusOne[_latest().set][account] != 0;
    }

    /// @dev The first round that a change made now holds for.
    function _nextRound() internal view returns (uint64) {
        return _ledger.lastRound() + 1;
    }

    function _credit(address account, uint256 amount) internal {
        _owed[account] += amount;
        emit Credited(account, amount);
    }

    /// @dev Coins at the zero address are nobody's.
    function _burn(uint256 amount) internal {
        Address.sendValue(payable(address(0)), amount);
    }

    /// @dev Ascending addresses make "each once" a comparison.
    function _verifyQuorum(uint64 round, bytes32 digest, bytes[] calldata signatures)
        internal
        view
        returns (uint32 signers)
    {
        Officers memory officers = _at(round);
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

    /// @dev Checks who is appointed, and gives the list of scorers a number, the one that it has if it is the latest.
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

    function _putDown(address account, uint256 amount, uint64 fromRound) private {
        Bond storage bond = _bonds[account];
        bond.amount += amount;
        bond.unbondingUntil = 0;
        emit BondDeposited(account, amount, fromRound);
    }

    /// @dev The bond of `account` does not count from the next round on, which is returned.
    function _clear(address account) private returns (uint64 fromRound) {
        fromRound = _nextRound();
        Officers memory officers = _latest();
        (uint32 bit,) = _seat(officers, account);
        if (officers.bonds & bit == 0) return fromRound;
        officers.bonds ^= bit;
        _push(fromRound, officers);
    }

    function _push(uint64 fromRound, Officers memory officers) private {
        uint208 value =
            uint208(uint160(officers.aggregator)) | (uint208(officers.bonds) << 160) | (uint208(officers.set) << 192);
        // What the checkpoint was before plays no part.
        // slither-disable-next-line unused-return
        _history.push(SafeCast.toUint48(fromRound), value);
    }

    function _at(uint64 round) private view returns (Officers memory) {
        return _asOfficers(_history.upperLookupRecent(SafeCast.toUint48(round)));
    }

    function _latest() private view returns (Officers memory) {
        return _asOfficers(_history.latest());
    }

    /// @dev An account's bit among the bonds and the bond that it needs, both zero when it was not appointed.
    function _seat(Officers memory officers, address account) private view returns (uint32 bit, uint256 required) {
        if (account == officers.aggregator) return (AGGREGATOR_BIT, _aggregatorBond);
        uint256 indexPlusOne = _indexPlusOne[officers.set][account];
        if (indexPlusOne != 0) return (_bit(indexPlusOne - 1), _scorerBond);
    }

    function _scorerIndex(uint256 set, address scorer) private view returns (uint256) {
        uint256 indexPlusOne = _indexPlusOne[set][scorer];
        if (indexPlusOne == 0) revert NotAScorer(scorer);
        return indexPlusOne - 1;
    }

    /// @dev Whether an account's bond is enough and not unbonding.
    function _counts(address account, uint256 required) private view returns (bool) {
        Bond storage bond = _bonds[account];
        return bond.amount >= required && bond.unbondingUntil == 0;
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

    function _asOfficers(uint208 value) private pure returns (Officers memory) {
        // Truncation is the point.
        // forge-lint: disable-next-line(unsafe-typecast)
        return Officers(address(uint160(value)), uint32(value >> 160), uint16(value >> 192));
    }
}
