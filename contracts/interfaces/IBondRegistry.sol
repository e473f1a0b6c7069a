// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title IBondRegistry
/// @notice Who answers for a federation's rounds with a bond: its aggregator and its scorers.
///
/// Like the nodes, they are a history keyed by round: every change takes effect with the next round to be opened, so that
/// the aggregator, the scorers and who of them had a bond are snapshots taken when a round opens. A scorer without a bond
/// at that moment does not count in the round.
///
/// Bonds, stakes and what is owed are held by this contract. It pays out by `collect`, never in the middle of a judgement,
/// so that nobody can stop one by refusing coins.
interface IBondRegistry {
    /// @notice The aggregator of rounds from `fromRound` on.
    event AggregatorAppointed(address indexed aggregator, uint64 fromRound);

    /// @notice The scorers of rounds from `fromRound` on.
    event ScorersAppointed(address[] scorers, uint64 fromRound);

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

    /// @notice Thrown when the number of scorers is not 3f + 1 between 1 and 31.
    error BadScorerCount(uint256 count);

    /// @notice Thrown when a scorer is the zero address, named twice, the aggregator, or a node.
    error BadScorer(address scorer);

    /// @notice Thrown when the aggregator is the zero address.
    error BadAggregator(address aggregator);

    /// @notice Thrown at deployment when the value sent is not exactly the first bonds of aggregator and scorers, and when
    /// a deposit is not exactly what the account's bond lacks.
    error WrongBond(uint256 sent, uint256 expected);

    /// @notice Thrown at deployment when the fee of a prover is so high that accusing oneself could pay.
    error ProofFeeTooHigh(uint256 fee, uint256 maximum);

    /// @notice Thrown when `caller` is not the aggregator `aggregator`.
    error NotTheAggregator(address caller, address aggregator);

    /// @notice Thrown when a round opens while its aggregator has no bond.
    error AggregatorNotBonded(address aggregator);

    /// @notice Thrown when a round opens while fewer scorers than the quorum have a bond.
    error TooFewBonds(uint256 bonded, uint256 quorum);

    /// @notice Thrown when `account` is neither the aggregator nor a scorer and puts down a bond.
    error NotAppointed(address account);

    /// @notice Thrown when `caller` would end the unbonding of another account's bond.
    error BondIsUnbonding(address account, address caller);

    /// @notice Thrown when `account` is no scorer of the round.
    error NotAScorer(address account);

    /// @notice Thrown when a scorer had no bond when the round opened.
    error ScorerNotBonded(address scorer);

    /// @notice Thrown when fewer scorers sign than the quorum.
    error QuorumMissed(uint256 signatures, uint256 quorum);

    /// @notice Thrown when signatures are not in strictly ascending order of their signers' addresses.
    error SignersUnsorted(address previous, address signer);

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

    /// @notice Thrown when anybody else than the ledger appoints.
    error NotTheLedger(address caller, address ledger);

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

    /// @notice Appoints aggregator and scorers from the next round on. Only the ledger may.
    /// @dev Appointing somebody again keeps its bond.
    function appoint(address aggregator, address[] calldata scorers) external;

    /// @notice Reverts unless `caller` may open a round now: it is the aggregator, its bond counts, and so do the bonds of
    /// a quorum of scorers.
    /// @return nodes How many node indices were given out.
    function checkOpening(address caller) external view returns (uint32 nodes);

    /// @notice Checks that a quorum of a round's scorers, with bonds, each once, signed `digest`. Reverts otherwise.
    /// @param round The round, whose snapshot counts.
    /// @param digest What was signed.
    /// @param signatures Signatures of 65 bytes, by ascending address of their signers.
    /// @return signers A bitmap: bit i for the scorer with index i in the round.
    function verifyQuorum(uint64 round, bytes32 digest, bytes[] calldata signatures)
        external
        view
        returns (uint32 signers);

    /// @notice The aggregator of a round; of one that is not open yet: as things stand now.
    function aggregatorAt(uint64 round) external view returns (address);

    /// @notice The scorers of a round, by index; of one that is not open yet: as things stand now.
    function scorersAt(uint64 round) external view returns (address[] memory);

    /// @notice The scorers whose bond counts in a round, as a bitmap by index.
    function bondedAt(uint64 round) external view returns (uint32);

    /// @notice A scorer's index in a round. Reverts with `NotAScorer`.
    function scorerIndexAt(uint64 round, address scorer) external view returns (uint256);

    /// @notice How many scorers must sign in a round, 2f + 1 of 3f + 1.
    function quorumAt(uint64 round) external view returns (uint256);

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

    /// @notice The ledger whose rounds these people take part in.
    function ledger() external view returns (address);

    /// @notice How long bonds and stakes stay locked, in seconds.
    function unbonding() external view returns (uint40);
}
