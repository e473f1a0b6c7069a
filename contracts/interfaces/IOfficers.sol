// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title IOfficers
/// @notice Who runs a federation's rounds: its aggregator and its scorers.
///
/// Like the nodes, they are a history keyed by round: every change takes effect with the next round to be opened, so that
/// the aggregator, the scorers and who of them had a bond are snapshots taken when a round opens. A scorer without a bond
/// at that moment does not count in the round.
interface IOfficers {
    /// @notice The aggregator of rounds from `fromRound` on.
    event AggregatorAppointed(address indexed aggregator, uint64 fromRound);

    /// @notice The scorers of rounds from `fromRound` on.
    event ScorersAppointed(address[] scorers, uint64 fromRound);

    /// @notice Thrown when the number of scorers is not 3f + 1 between 1 and 31.
    error BadScorerCount(uint256 count);

    /// @notice Thrown when a scorer is the zero address, named twice, the aggregator, or a node.
    error BadScorer(address scorer);

    /// @notice Thrown when the aggregator is the zero address.
    error BadAggregator(address aggregator);

    /// @notice Thrown when `caller` is not the aggregator `aggregator`.
    error NotTheAggregator(address caller, address aggregator);

    /// @notice Thrown when a round opens while its aggregator has no bond.
    error AggregatorNotBonded(address aggregator);

    /// @notice Thrown when a round opens while fewer scorers than the quorum have a bond.
    error TooFewBonds(uint256 bonded, uint256 quorum);

    /// @notice Thrown when `account` is no scorer of the round.
    error NotAScorer(address account);

    /// @notice Thrown when a scorer had no bond when the round opened.
    error ScorerNotBonded(address scorer);

    /// @notice Thrown when fewer scorers sign than the quorum.
    error QuorumMissed(uint256 signatures, uint256 quorum);

    /// @notice Thrown when signatures are not in strictly ascending order of their signers' addresses.
    error SignersUnsorted(address previous, address signer);

    /// @notice Thrown when anybody else than the ledger appoints.
    error NotTheLedger(address caller, address ledger);

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

    /// @notice The ledger whose rounds these people take part in.
    function ledger() external view returns (address);
}
