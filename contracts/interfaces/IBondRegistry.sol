// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IOfficers} from "./IOfficers.sol";

/// @title IBondRegistry
/// @notice The money that a federation's registry holds: the bonds with which the aggregator and the scorers, as `IOfficers`
/// says, answer for the rounds, and what is owed to anybody.
///
/// It pays out by `collect`, never in the middle of a judgement, so that nobody can stop one by refusing coins.
interface IBondRegistry is IOfficers {
    /// @notice A bond was put down for `account`; it counts from round `fromRound` on.
    event BondDeposited(address indexed account, uint256 amount, uint64 fromRound);

    /// @notice A bond does not count from round `fromRound` on, and is free at `unbondingUntil`.
    event BondUnbonding(address indexed account, uint64 fromRound, uint40 unbondingUntil);

    /// @notice A bond went back to its account.
    event BondWithdrawn(address indexed account, uint256 amount);

    /// @notice A bond was lost: `award` is owed to `beneficiary`, the rest was burned.
    event BondSlashed(address indexed account, uint256 amount, address indexed beneficiary, uint256 award);

    /// @notice `amount` more is owed to `account`, which gets it with `collect`.
    event Credited(address indexed account, uint256 amount);

    /// @notice What was owed to `account` was paid.
    event Collected(address indexed account, uint256 amount);

    /// @notice Thrown at deployment when the value sent is not exactly the first bonds of aggregator and scorers, and when
    /// a deposit is not exactly what the account's bond lacks.
    error WrongBond(uint256 sent, uint256 expected);

    /// @notice Thrown at deployment when the fee of a prover is so high that accusing oneself could pay.
    error ProofFeeTooHigh(uint256 fee, uint256 maximum);

    /// @notice Thrown when `account` is neither the aggregator nor a scorer and puts down a bond.
    error NotAppointed(address account);

    /// @notice Thrown when `caller` would end the unbonding of another account's bond.
    error BondIsUnbonding(address account, address caller);

    /// @notice Thrown when an account without a bond, or with one that is unbonding already, unbonds.
    error NothingToUnbond(address account);

    /// @notice Thrown when a bond is withdrawn that is not unbonding.
    error NotUnbonding(address account);

    /// @notice Thrown when a bond is withdrawn before `until`.
    error BondLocked(address account, uint40 until);

    /// @notice Thrown when nothing is owed to `account`.
    error NothingOwed(address account);

    /// @notice Thrown when anybody else than the court slashes.
    error NotTheCourt(address caller, address court);

    /// @notice Puts down what the bond of the aggregator or of a scorer lacks. Anyone may pay; the bond is the account's.
    /// While it is unbonding, only the account itself may, which ends the unbonding.
    /// @param account The aggregator or a scorer of the next round.
    function depositBond(address account) external payable;

    /// @notice Starts to unbond: from the next round on, the caller's bond does not count.
    function unbond() external;

    /// @notice Sends a bond back to its account, after unbonding. Anyone may pay the gas.
    function withdrawBond(address account) external;

    /// @notice Sends an account what is owed to it. Anyone may pay the gas.
    function collect(address account) external;

    /// @notice Owes `account` what is sent along.
    function credit(address account) external payable;

    /// @notice Takes a whole bond. Only the court may. An account without a bond has nothing to lose, which is no error: a
    /// fault is a fault.
    /// @param account Who is at fault.
    /// @param beneficiary Who gets a part.
    /// @param wronged Whether the beneficiary was wronged and gets half, or proved it and gets the fee, but at most half.
    function slashBond(address account, address beneficiary, bool wronged) external;

    /// @notice What an account has as its bond, and when it is free; zero when it is not unbonding.
    function bondOf(address account) external view returns (uint256 amount, uint40 unbondingUntil);

    /// @notice What is owed to an account, in wei.
    function owed(address account) external view returns (uint256);

    /// @notice The bond that the aggregator needs, in wei.
    function aggregatorBond() external view returns (uint256);

    /// @notice The bond that every scorer needs, in wei.
    function scorerBond() external view returns (uint256);

    /// @notice What a prover gets of a slashed stake or bond when nobody was wronged, in wei.
    function proofFee() external view returns (uint256);

    /// @notice The court, which alone may slash.
    function court() external view returns (address);

    /// @notice How long bonds and stakes stay locked, in seconds.
    function unbonding() external view returns (uint40);
}
