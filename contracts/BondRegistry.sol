// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Officers} from "./Officers.sol";
import {IBondRegistry} from "./interfaces/IBondRegistry.sol";

/// @title BondRegistry
/// @notice The bonds of the aggregator and the scorers, which `Officers` keeps, and all money that the registry holds for
/// anybody.
abstract contract BondRegistry is IBondRegistry, Officers {
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

    address private immutable _court;
    uint40 internal immutable _unbonding;
    uint256 private immutable _aggregatorBond;
    uint256 private immutable _scorerBond;
    uint256 internal immutable _proofFee;

    // ---------------------------------------------------------------------------------------------------- storage

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
    ) payable Officers(ledger_, aggregator, scorers) {
        _court = court_;
        _unbonding = unbonding_;
        _aggregatorBond = amounts.aggregatorBond;
        _scorerBond = amounts.scorerBond;
        _proofFee = amounts.proofFee;
        uint256 least = Math.min(amounts.minimumStake, Math.min(amounts.aggregatorBond, amounts.scorerBond));
        if (amounts.proofFee > least / 2) revert ProofFeeTooHigh(amounts.proofFee, least / 2);
        uint256 expected = amounts.aggregatorBond + scorers.length * amounts.scorerBond;
        if (msg.value != expected) revert WrongBond(msg.value, expected);

        _putDown(aggregator, amounts.aggregatorBond, 1);
        for (uint256 i; i < scorers.length; ++i) {
            _putDown(scorers[i], amounts.scorerBond, 1);
        }
    }

    modifier onlyCourt() {
        if (msg.sender != _court) revert NotTheCourt(msg.sender, _court);
        _;
    }

    // ------------------------------------------------------------------------------------------------------ bonds

    /// @inheritdoc IBondRegistry
    function depositBond(address account) external payable {
        uint32 seat = _seatOf(account);
        if (seat == 0) revert NotAppointed(account);
        uint256 required = _bondFor(seat);
        uint256 held = _bonds[account].amount;
        uint256 missing = held < required ? required - held : 0;
        bool unbonding_ = _bonds[account].unbondingUntil != 0;
        if (unbonding_ && msg.sender != account) revert BondIsUnbonding(account, msg.sender);
        // Without anything missing, this only ends an unbonding.
        if (msg.value != missing || (missing == 0 && !unbonding_)) revert WrongBond(msg.value, missing);
        _putDown(account, msg.value, _setBond(account, true));
    }

    /// @inheritdoc IBondRegistry
    function unbond() external {
        Bond storage bond = _bonds[msg.sender];
        if (bond.amount == 0 || bond.unbondingUntil != 0) revert NothingToUnbond(msg.sender);
        uint40 until = SafeCast.toUint40(block.timestamp) + _unbonding;
        bond.unbondingUntil = until;
        emit BondUnbonding(msg.sender, _setBond(msg.sender, false), until);
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
        _setBond(account, false);
        uint256 award = wronged ? amount / 2 : Math.min(_proofFee, amount / 2);
        emit BondSlashed(account, amount, beneficiary, award);
        _credit(beneficiary, award);
        _burn(amount - award);
    }

    // ------------------------------------------------------------------------------------------------------ views

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
    function unbonding() external view returns (uint40) {
        return _unbonding;
    }

    // --------------------------------------------------------------------------------------------------- internal

    function _credit(address account, uint256 amount) internal {
        _owed[account] += amount;
        emit Credited(account, amount);
    }

    /// @dev Coins at the zero address are nobody's.
    function _burn(uint256 amount) internal {
        Address.sendValue(payable(address(0)), amount);
    }

    // ---------------------------------------------------------------------------------------------------- private

    function _putDown(address account, uint256 amount, uint64 fromRound) private {
        Bond storage bond = _bonds[account];
        bond.amount += amount;
        bond.unbondingUntil = 0;
        emit BondDeposited(account, amount, fromRound);
    }

    /// @inheritdoc Officers
    function _hasBond(address account, uint32 seat) internal view override returns (bool) {
        Bond storage bond = _bonds[account];
        return bond.amount >= _bondFor(seat) && bond.unbondingUntil == 0;
    }

    /// @dev The bond that a seat needs.
    function _bondFor(uint32 seat) private view returns (uint256) {
        return seat == AGGREGATOR_BIT ? _aggregatorBond : _scorerBond;
    }
}
