// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

/// @title IRoundLedger
/// @notice The rounds of a federation: what each was bound to, what it ended with, what every node scored in it, and the
/// rewards that follow from the scores by arithmetic.
///
///     None ── open ──► Open ── close ──► Closed ── propose ──► Proposed ── window over ──► Final
///                        └─ abandon, deadline ─► Void ◄─ deadline ─┘
///
/// A state that ends with time needs no transaction: `stateOf` derives it. At a deadline's very second the time is over.
/// Round 0, the genesis, is Final from the start. A round continues the latest Final round, its parent, and opens only
/// when the round before it is decided (Final or Void). No role can change or undo a Final round, or mint otherwise.
interface IRoundLedger is IAccessControl {
    /// @notice Where a round stands. Disputed is kept for disputes, which this version does not have.
    enum State {
        None,
        Open,
        Closed,
        Proposed,
        Disputed,
        Final,
        Void
    }

    /// @notice How long each state waits, in seconds, none zero.
    /// @param commitTime The time that nodes have to train and commit.
    /// @param closeTime The time that the aggregator has after it to close the round.
    /// @param revealTime The time that nodes have after closing to upload their updates.
    /// @param proposeTime The time that the aggregator and the scorers have after it to propose the outcome.
    /// @param window The time between the proposal and finality.
    struct Timing {
        uint40 commitTime;
        uint40 closeTime;
        uint40 revealTime;
        uint40 proposeTime;
        uint40 window;
    }

    /// @notice What a federation is deployed with.
    /// @param token The token, which names this ledger.
    /// @param registry The registry, which names this ledger.
    /// @param admin The account that grants and revokes roles, replaceable in two steps with a delay.
    /// @param aggregator The first account that may open, close and abandon rounds.
    /// @param operator The first account whose invitations count, a plain key.
    /// @param adminDelay The delay of a change of admin, in seconds.
    /// @param configHash The hash of the federation's configuration.
    /// @param taskHash The hash of the task's sources.
    /// @param genesisModel The hash of the model that round 0 ends with.
    /// @param pool What the nodes of a round share, in base units, a positive multiple of `SCORE_TOTAL`.
    /// @param timing How long each state waits.
    struct Config {
        address token;
        address registry;
        address admin;
        address aggregator;
        address operator;
        uint48 adminDelay;
        bytes32 configHash;
        bytes32 taskHash;
        bytes32 genesisModel;
        uint256 pool;
        Timing timing;
    }

    /// @notice What the ledger keeps of a round.
    /// @param state Where it stands.
    /// @param parent The Final round that it continues.
    /// @param openedAt When it opened, in seconds.
    /// @param deadline When its last written state ends by time, in seconds; zero when it does not.
    /// @param closeBlock The block it was closed in, whose hash becomes the seed.
    /// @param nodeCount How many indices the registry had given out when it opened; no other can have a score.
    /// @param released Whether its reservation was given back.
    /// @param scores The data contract with its scores; zero when all are zero.
    /// @param signers The scorers that attested to it: bit i for the scorer with index i.
    /// @param inputs The hash of everything that was fixed when it opened.
    /// @param updateRoot The root of the tree of its updates.
    /// @param seed The seed of its random numbers.
    /// @param evidenceRoot The root of its evidence.
    /// @param modelHash The hash of the merged model.
    struct Round {
        State state;
        uint64 parent;
        uint40 openedAt;
        uint40 deadline;
        uint64 closeBlock;
        uint32 nodeCount;
        bool released;
        address scores;
        uint32 signers;
        bytes32 inputs;
        bytes32 updateRoot;
        bytes32 seed;
        bytes32 evidenceRoot;
        bytes32 modelHash;
    }

    /// @notice The outcome of a round, as the scorers attest to it.
    /// @param evidenceRoot The root of the evidence.
    /// @param modelHash The hash of the merged model.
    /// @param scores The packed scores, summing to `SCORE_TOTAL`; no bytes at all when every score is zero.
    struct Proposal {
        bytes32 evidenceRoot;
        bytes32 modelHash;
        bytes scores;
    }

    /// @notice A round opened, bound to all of this; commitments are taken until `deadline`.
    event RoundOpened(
        uint64 indexed round,
        uint64 indexed parent,
        bytes32 inputs,
        bytes32 configHash,
        bytes32 taskHash,
        bytes32 baseModel,
        bytes32 parentEvidence,
        bytes32 shards,
        bytes32 rootSet,
        uint32 nodeCount,
        uint40 deadline
    );

    /// @notice A round closed over the commitments under `updateRoot`; it must be proposed before `deadline`.
    event RoundClosed(uint64 indexed round, bytes32 updateRoot, uint64 closeBlock, uint40 deadline);

    /// @notice The aggregator gave up an open round.
    event RoundAbandoned(uint64 indexed round);

    /// @notice A quorum's outcome of a round was recorded; it is Final at `deadline`.
    event RoundProposed(
        uint64 indexed round,
        bytes32 seed,
        bytes32 evidenceRoot,
        bytes32 modelHash,
        bytes32 scoresHash,
        address scores,
        uint32 signers,
        uint40 deadline
    );

    /// @notice The mint reserved by a round that pays nobody was given back.
    event ReservationReleased(uint64 indexed round, uint256 amount);

    /// @notice A node's rewards of these rounds were minted.
    event RewardsClaimed(uint32 indexed node, address indexed payout, uint64[] rounds, uint256 amount);

    /// @notice Thrown at deployment when `contractAddress` names `named` as its ledger.
    error WrongLedger(address contractAddress, address named);

    /// @notice Thrown at deployment when the pool is not a positive multiple of `SCORE_TOTAL`.
    error BadPool(uint256 pool, uint256 scoreTotal);

    /// @notice Thrown at deployment when one of the timings is zero.
    error ZeroTiming();

    /// @notice Thrown at deployment when stakes unbond so fast that they are gone before a fault can be proved.
    error UnbondingTooShort(uint256 unbonding, uint256 exclusiveMinimum);

    /// @notice Thrown when a round is in another state than the call needs.
    error WrongState(uint64 round, State state);

    /// @notice Thrown when a round is to open before the last one is decided.
    error RoundUndecided(uint64 round, State state);

    /// @notice Thrown when a round is to continue another round than the latest Final one.
    error WrongParent(uint64 expected);

    /// @notice Thrown when the token's cap does not hold another pool beyond what is reserved.
    error CapReached(uint256 reserved, uint256 pool, uint256 cap);

    /// @notice Thrown when a round is proposed in the block that closed it, whose hash is not known yet.
    error SeedNotReady(uint64 closeBlock);

    /// @notice Thrown when a round is proposed more than 256 blocks after it closed: the block's hash is lost.
    error SeedExpired(uint64 closeBlock);

    /// @notice Thrown when fewer scorers attest than the quorum.
    error QuorumMissed(uint256 attestations, uint256 quorum);

    /// @notice Thrown when attestations are not in strictly ascending order of their signers' addresses.
    error AttestationsUnsorted(address previous, address signer);

    /// @notice Thrown when a round has nothing to give back: it may yet pay or does, reserved nothing, or gave it back.
    error NothingToRelease(uint64 round);

    /// @notice Thrown when rewards of a round that is not Final are claimed.
    error NotFinal(uint64 round);

    /// @notice Thrown when a node's reward of a round was claimed before.
    error AlreadyClaimed(uint64 round);

    /// @notice Thrown when a node earned nothing in the rounds claimed.
    error NothingToClaim(uint32 node);

    /// @notice Opens the next round and reserves its pool under the token's cap. Only an aggregator may.
    /// @param parent The latest Final round.
    /// @param shards The hash of the list of evaluation shards' hashes.
    /// @param rootSet The hash of the aggregator's own clean data.
    /// @return round The round's number.
    function open(uint64 parent, bytes32 shards, bytes32 rootSet) external returns (uint64 round);

    /// @notice Closes an open round over the commitments that the aggregator holds. Only an aggregator may.
    /// @param round The round's number.
    /// @param updateRoot The root of the tree of signed updates.
    function close(uint64 round, bytes32 updateRoot) external;

    /// @notice Gives up an open round, of too few commitments for instance. Only an aggregator may.
    /// @param round The round's number.
    function abandon(uint64 round) external;

    /// @notice Records the outcome of a closed round. Anyone may send it; the scorers' quorum authorises it.
    /// @param round The round's number.
    /// @param proposal The outcome.
    /// @param attestations At least a quorum of scorers' EIP-712 attestations to it, 65 bytes each, sorted by the
    /// signer's address, ascending, each scorer once.
    function propose(uint64 round, Proposal calldata proposal, bytes[] calldata attestations) external;

    /// @notice Gives back what a round reserved that is Void, or Final with all scores zero; once. Anyone may.
    /// @param round The round's number.
    function release(uint64 round) external;

    /// @notice Mints a node's rewards of Final rounds to its payout address. Anyone may pay the gas.
    /// @dev A round in which the node earned nothing counts as claimed too.
    /// @param node The node's index.
    /// @param rounds The rounds, each once, none claimed before.
    /// @return amount What was minted, in base units.
    function claim(uint32 node, uint64[] calldata rounds) external returns (uint256 amount);

    /// @notice Where a round stands now.
    function stateOf(uint64 round) external view returns (State);

    /// @notice All that the ledger keeps of a round, with the state that it is in now.
    function roundOf(uint64 round) external view returns (Round memory);

    /// @notice The number of the last round opened; zero when there is only the genesis.
    function lastRound() external view returns (uint64);

    /// @notice The latest Final round: the parent of the next one, unless the last round becomes Final before.
    function latestFinal() external view returns (uint64);

    /// @notice A node's score in a round, whatever the round's state; zero for a node that joined later.
    function scoreOf(uint64 round, uint32 node) external view returns (uint24);

    /// @notice The packed scores of a round, three bytes a node, whatever its state; empty when all are zero.
    function scoresOf(uint64 round) external view returns (bytes memory);

    /// @notice What a node's score in a round is worth, in base units, whatever the round's state.
    function rewardOf(uint64 round, uint32 node) external view returns (uint256);

    /// @notice Whether a node's reward of a round was claimed.
    function claimed(uint32 node, uint64 round) external view returns (bool);

    /// @notice The identity of the federation: its EIP-712 domain separator.
    function federation() external view returns (bytes32);

    /// @notice The hash of the federation's configuration.
    function configHash() external view returns (bytes32);

    /// @notice The hash of the task's sources.
    function taskHash() external view returns (bytes32);

    /// @notice What the nodes of a round share, in base units.
    function pool() external view returns (uint256);

    /// @notice How much of the token's cap is taken: minted, or promised to rounds that may yet be claimed.
    function reserved() external view returns (uint256);

    /// @notice How long each state waits.
    function timing() external view returns (Timing memory);

    /// @notice The token that rewards are minted in.
    function token() external view returns (address);

    /// @notice The registry of nodes and scorers.
    function registry() external view returns (address);

    /// @notice What the scores of a paying round sum to.
    // forge-lint: disable-next-line(mixed-case-function)
    function SCORE_TOTAL() external view returns (uint256);

    /// @notice The role that opens, closes and abandons rounds.
    // forge-lint: disable-next-line(mixed-case-function)
    function AGGREGATOR_ROLE() external view returns (bytes32);

    /// @notice The role whose signed invitations the registry accepts.
    // forge-lint: disable-next-line(mixed-case-function)
    function OPERATOR_ROLE() external view returns (bytes32);
}
