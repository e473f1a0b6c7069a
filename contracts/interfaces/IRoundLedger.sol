// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {TypedData} from "../libraries/TypedData.sol";
import {IFederation} from "./IFederation.sol";
import {IGovernance} from "./IGovernance.sol";

/// @title IRoundLedger
/// @notice The rounds of a federation: what each was bound to, what it ended with, what every node scored in it, and the
/// rewards that follow from the scores by arithmetic.
///
///     None ── open ──► Open ── close ──► Closed ── propose ──► Proposed ── window over ──► Final
///                        │                 │                      └─ dispute ─► Disputed ── dismissed ──┘
///                        └─ abandon ─┐     └─ deadline ─► Void ◄── upheld, deadline ─┘
///                           deadline ┴──────────────────► Void ◄── a fault proved before Final
///
/// A state that ends with time needs no transaction: `stateOf` derives it. At a deadline's very second the time is over.
/// Round 0, the genesis, is Final from the start. Rounds form one line: each continues the last that is not Void, its
/// parent, once that has an outcome. A round is Final when its own window is over and its parent is Final; when a parent
/// becomes Void, so do the rounds after it. No role can change or undo a Final round, or mint otherwise.
interface IRoundLedger is IFederation, IGovernance {
    /// @notice Where a round stands.
    enum State {
        None,
        Open,
        Closed,
        Proposed,
        Disputed,
        Final,
        Void
    }

    /// @notice What the ledger keeps of a round.
    /// @param state Where it stands.
    /// @param parent The round that it continues.
    /// @param ancestor The nearest round before it that was Final when it opened.
    /// @param openedAt When it opened, in seconds.
    /// @param deadline When its last written state ends by time, in seconds; zero when it does not.
    /// @param closeBlock The block it was closed in, whose hash becomes the seed.
    /// @param nodeCount How many indices the registry had given out when it opened; no other can have a score.
    /// @param commits How many nodes committed on chain.
    /// @param closedEarly Whether it was closed before the time to commit was over.
    /// @param released Whether its reservation was given back.
    /// @param scores The data contract with its scores; zero when all are zero.
    /// @param signers The scorers that attested to it: bit i for the scorer with index i.
    /// @param windowEnd When the time to dispute it is over, in seconds; zero when it does not come.
    /// @param openDisputes How many disputes of it are undecided.
    /// @param inputs The hash of everything that was fixed when it opened.
    /// @param updateRoot The root of the tree of its updates; zero from the proposal on, when the seed binds it.
    /// @param seed The seed of its random numbers; zero until it is stored.
    /// @param evidenceRoot The root of its evidence.
    /// @param modelHash The hash of the merged model.
    struct Round {
        State state;
        uint64 parent;
        uint64 ancestor;
        uint40 openedAt;
        uint40 deadline;
        uint64 closeBlock;
        uint32 nodeCount;
        uint32 commits;
        bool closedEarly;
        bool released;
        address scores;
        uint32 signers;
        uint40 windowEnd;
        uint32 openDisputes;
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

    /// @notice A node committed on chain: the round's update tree must hold this leaf, whatever the aggregator received.
    event UpdateCommitted(
        uint64 indexed round, uint32 indexed node, bytes32 leaf, TypedData.Update update, bytes signature
    );

    /// @notice A round closed over the commitments under `updateRoot`; it must be proposed before `deadline`.
    event RoundClosed(uint64 indexed round, bytes32 updateRoot, uint64 closeBlock, uint40 deadline);

    /// @notice A closed round's seed was stored ahead of its proposal.
    event RoundSealed(uint64 indexed round, bytes32 seed);

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

    /// @notice A leaf of a round's evidence is disputed; the round waits until `deadline`.
    event RoundDisputed(uint64 indexed round, uint40 deadline);

    /// @notice A dispute of a round was decided in its favour.
    event DisputeDismissed(uint64 indexed round);

    /// @notice A round became Void by a proof or a dispute.
    event RoundAnnulled(uint64 indexed round);

    /// @notice The mint reserved by a round that pays nobody was given back.
    event ReservationReleased(uint64 indexed round, uint256 amount);

    /// @notice A node's rewards of these rounds were minted.
    event RewardsClaimed(uint32 indexed node, address indexed payout, uint64[] rounds, uint256 amount);

    /// @notice A scorer's rewards of these rounds were minted.
    event ScorerRewardsClaimed(address indexed scorer, uint64[] rounds, uint256 amount);

    /// @notice Thrown when a round is in another state than the call needs.
    error WrongState(uint64 round, State state);

    /// @notice Thrown when a round is to open while no round may.
    error OpeningPaused();

    /// @notice Thrown when a round is to open before its parent has an outcome.
    error RoundUndecided(uint64 round, State state);

    /// @notice Thrown when a round is to continue another round than the last that is not Void.
    error WrongParent(uint64 expected);

    /// @notice Thrown when a round is to open while as many as may be are neither Final nor Void.
    error TooManyPending(uint256 pending, uint256 maxPending);

    /// @notice Thrown when `caller` is not the round's aggregator.
    error NotTheAggregator(address caller, address aggregator);

    /// @notice Thrown when anybody else than the court disputes or annuls.
    error NotTheCourt(address caller, address court);

    /// @notice Thrown when a node commits on chain at or after `until`.
    error CommitsOver(uint64 round, uint40 until);

    /// @notice Thrown when a node commits to something else than what the round was opened with.
    error WrongInputs(bytes32 inputs, bytes32 expected);

    /// @notice Thrown when a node commits to an update of another model than the round's.
    error WrongBase(bytes32 baseModel, bytes32 expected);

    /// @notice Thrown when a node commits to no samples, or to more than it may report.
    error WrongSamples(uint32 samples, uint32 maxSamples);

    /// @notice Thrown when an update is signed by `signer` and not by the node's key in that round, which is zero for a node
    /// that is not eligible.
    error NotTheNodesKey(address signer, address expected);

    /// @notice Thrown when a node commits on chain twice in a round.
    error AlreadyCommitted(uint64 round, uint32 node);

    /// @notice Thrown when a round is closed without knowing of every commitment on chain.
    error CommitsMissed(uint256 counted, uint256 commits);

    /// @notice Thrown when a round is closed with no root at all; the root of the empty tree is not zero.
    error NoRoot();

    /// @notice Thrown when a seed is stored twice.
    error AlreadySealed(uint64 round);

    /// @notice Thrown when a round is disputed at or after the end of its window.
    error WindowOver(uint64 round, uint40 windowEnd);

    /// @notice Thrown when the token's cap does not hold another pool beyond what is reserved.
    error CapReached(uint256 reserved, uint256 pool, uint256 cap);

    /// @notice Thrown when a round is proposed in the block that closed it, whose hash is not known yet.
    error SeedNotReady(uint64 closeBlock);

    /// @notice Thrown when a round is proposed more than 256 blocks after it closed: the block's hash is lost.
    error SeedExpired(uint64 closeBlock);

    /// @notice Thrown when a round has nothing to give back: it may yet pay or does, reserved nothing, or gave it back.
    error NothingToRelease(uint64 round);

    /// @notice Thrown when rewards of a round that is not Final are claimed.
    error NotFinal(uint64 round);

    /// @notice Thrown when a node's reward of a round was claimed before.
    error AlreadyClaimed(uint64 round);

    /// @notice Thrown when a node earned nothing in the rounds claimed.
    error NothingToClaim(uint32 node);

    /// @notice Thrown when a scorer earned nothing in the rounds claimed.
    error NothingToClaimFor(address scorer);

    /// @notice Opens the next round and reserves its pools under the token's cap. Only the aggregator may, when its bond and
    /// those of a quorum of scorers count.
    /// @param parent The last round that is not Void; it has an outcome already.
    /// @param shards The hash of the list of evaluation shards' hashes.
    /// @param rootSet The hash of the aggregator's own clean data.
    /// @return round The round's number.
    function open(uint64 parent, bytes32 shards, bytes32 rootSet) external returns (uint64 round);

    /// @notice Commits to a node's update on chain, for a node that fears to be left out. Overrides what the aggregator gave
    /// a receipt for. Anyone may send it; the node's signature authorises it.
    /// @param update The update.
    /// @param signature The node's EIP-712 signature of it, 65 bytes.
    function commit(TypedData.Update calldata update, bytes calldata signature) external;

    /// @notice Closes an open round over the commitments that the aggregator holds. Only the round's aggregator may.
    /// @dev Before the time to commit is over, only when every eligible node has committed: otherwise it is a fault.
    /// @param round The round's number.
    /// @param updateRoot The root of the tree of signed updates, among them all that were committed on chain.
    /// @param commits How many nodes committed on chain, as the caller knows it.
    function close(uint64 round, bytes32 updateRoot, uint32 commits) external;

    /// @notice Stores a closed round's seed, which `propose` does otherwise: for a proposal that comes more than 256 blocks
    /// after `close`. Anyone may.
    function seal(uint64 round) external;

    /// @notice Gives up an open round, of too few commitments for instance. Only the round's aggregator may.
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

    /// @notice Mints a scorer's rewards of paying, Final rounds that it attested to. Anyone may pay the gas.
    /// @param scorer The scorer.
    /// @param rounds The rounds, each once, none claimed before.
    /// @return amount What was minted, in base units.
    function claimScorer(address scorer, uint64[] calldata rounds) external returns (uint256 amount);

    /// @notice Makes a round wait for a dispute. Only the court may, while the round's window lasts.
    function suspend(uint64 round) external;

    /// @notice Ends a dispute of a round in the round's favour. Only the court may. Without effect on a Void round.
    function dismiss(uint64 round) external;

    /// @notice Makes a round Void, unless it is Final. Only the court may.
    function annul(uint64 round) external;

    /// @notice Where a round stands now.
    function stateOf(uint64 round) external view returns (State);

    /// @notice All that the ledger keeps of a round, with the state that it is in now.
    function roundOf(uint64 round) external view returns (Round memory);

    /// @notice The number of the last round opened; zero when there is only the genesis.
    function lastRound() external view returns (uint64);

    /// @notice The last round that is not Void: the parent of the next one.
    function tip() external view returns (uint64);

    /// @notice The latest Final round.
    function latestFinal() external view returns (uint64);

    /// @notice A node's score in a round, whatever the round's state; zero for a node that joined later.
    function scoreOf(uint64 round, uint32 node) external view returns (uint24);

    /// @notice The packed scores of a round, three bytes a node, whatever its state; empty when all are zero.
    function scoresOf(uint64 round) external view returns (bytes memory);

    /// @notice What a node's score in a round is worth, in base units, whatever the round's state.
    function rewardOf(uint64 round, uint32 node) external view returns (uint256);

    /// @notice Whether a node's reward of a round was claimed.
    function claimed(uint32 node, uint64 round) external view returns (bool);

    /// @notice Whether a scorer's reward of a round was claimed.
    function scorerClaimed(address scorer, uint64 round) external view returns (bool);

    /// @notice The leaf that a node committed to on chain in a round; zero when it did not.
    function commitOf(uint64 round, uint32 node) external view returns (bytes32);

    /// @notice How much of the token's cap is taken: minted, or promised to rounds that may yet be claimed.
    function reserved() external view returns (uint256);
}
