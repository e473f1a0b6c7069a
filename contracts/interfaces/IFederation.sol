// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title IFederation
/// @notice What a federation is deployed with and keeps for ever.
interface IFederation {
    /// @notice How long each state waits, in seconds, none zero.
    /// @param commitTime The time that nodes have to train and commit.
    /// @param closeTime The time that the aggregator has after it to close the round.
    /// @param revealTime The time that nodes have after closing to upload their updates.
    /// @param graceTime The time that the aggregator has after it to include updates that scorers forward.
    /// @param proposeTime The time that the aggregator and the scorers have after it to propose the outcome.
    /// @param window The time between the proposal and finality, in which disputes are filed.
    /// @param voteTime The time of each of the three steps of a dispute: committing to votes, revealing them, deciding.
    struct Timing {
        uint40 commitTime;
        uint40 closeTime;
        uint40 revealTime;
        uint40 graceTime;
        uint40 proposeTime;
        uint40 window;
        uint40 voteTime;
    }

    /// @notice What a federation is deployed with.
    /// @param token The token, which names this ledger.
    /// @param registry The registry, which names this ledger.
    /// @param court The court, which names this ledger.
    /// @param admin The account that announces changes, grants and revokes roles, and ends a pause; replaceable in two steps
    /// with a delay.
    /// @param operator The first account whose invitations count, a plain key.
    /// @param guardian The first account that may pause the opening of rounds.
    /// @param adminDelay The delay of a change of admin, and of every change that the admin announces, in seconds.
    /// @param configHash The hash of the federation's configuration.
    /// @param taskHash The hash of the task's sources.
    /// @param genesisModel The hash of the model that round 0 ends with.
    /// @param pool What the nodes of a round share, in base units, a positive multiple of `SCORE_TOTAL`.
    /// @param scorerPool What the scorers of a paying round share on top, in base units; it may be zero.
    /// @param maxPending How many rounds may be neither Final nor Void at a time, at least one.
    /// @param timing How long each state waits.
    struct Config {
        address token;
        address registry;
        address court;
        address admin;
        address operator;
        address guardian;
        uint48 adminDelay;
        bytes32 configHash;
        bytes32 taskHash;
        bytes32 genesisModel;
        uint256 pool;
        uint256 scorerPool;
        uint256 maxPending;
        Timing timing;
    }

    /// @notice Thrown at deployment when `contractAddress` names `named` as its ledger.
    error WrongLedger(address contractAddress, address named);

    /// @notice Thrown at deployment when the registry names `named` as its court.
    error WrongCourt(address registry, address named);

    /// @notice Thrown at deployment when the court names `named` as its registry.
    error WrongRegistry(address court, address named);

    /// @notice Thrown at deployment when the pool is not a positive multiple of `SCORE_TOTAL`.
    error BadPool(uint256 pool, uint256 scoreTotal);

    /// @notice Thrown at deployment when one of the timings is zero.
    error ZeroTiming();

    /// @notice Thrown at deployment when no round could be pending, or more than 255.
    error BadMaxPending(uint256 maxPending);

    /// @notice Thrown at deployment when the cap is too large to keep account of.
    error CapTooLarge(uint256 cap);

    /// @notice Thrown at deployment when stakes unbond so fast that they are gone before a fault can be proved.
    error UnbondingTooShort(uint256 unbonding, uint256 exclusiveMinimum);

    /// @notice The identity of the federation: its EIP-712 domain separator.
    function federation() external view returns (bytes32);

    /// @notice What the nodes of a round share, in base units.
    function pool() external view returns (uint256);

    /// @notice What the scorers of a paying round share on top, in base units.
    function scorerPool() external view returns (uint256);

    /// @notice How many rounds may be neither Final nor Void at a time.
    function maxPending() external view returns (uint256);

    /// @notice How long each state waits.
    function timing() external view returns (Timing memory);

    /// @notice The token that rewards are minted in.
    function token() external view returns (address);

    /// @notice The registry of nodes, aggregator and scorers.
    function registry() external view returns (address);

    /// @notice The court of proofs and disputes.
    function court() external view returns (address);

    /// @notice What the scores of a paying round sum to.
    // forge-lint: disable-next-line(mixed-case-function)
    function SCORE_TOTAL() external view returns (uint256);
}
