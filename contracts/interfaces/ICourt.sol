// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Evidence} from "../libraries/Evidence.sol";
import {Trees} from "../libraries/Trees.sol";
import {TypedData} from "../libraries/TypedData.sol";

/// @title ICourt
/// @notice Where a fault is proved, and where a leaf that only re-execution can judge is disputed.
///
/// A *proof* is one call with opened leaves, without bond or waiting. The proved party loses its stake or bond: half of a
/// bond is owed to the node that was wronged, or a fixed fee to the prover when none was, and the rest is burned, so that
/// accusing oneself never pays. A fault of the aggregator also makes the round Void, unless it is Final.
///
/// A *dispute* needs a bond. The scorers of the round commit to what they recompute, then reveal it; the court compares it
/// with the published leaf. With f faulty scorers of 3f + 1:
///
///     against ≥ f + 1, for < f + 1    the round is Void, the challenger gets its bond back
///     for ≥ f + 1, against < f + 1    the round stands, the bond is burned
///     otherwise                       the round is Void, half of the bond is burned
///
/// Disputes are filed in a round's window, any number at once, each leaf once, and each takes three steps of `voteTime`: so
/// all bonds of the world delay a round by no more than three steps beyond its window.
interface ICourt {
    /// @notice What can be proved.
    enum Fault {
        DoubleUpdate,
        BrokenReceipt,
        MissingCommit,
        EarlyClose,
        ForgedUpdate,
        WrongHeader,
        WrongBasis,
        WrongScore,
        WrongTotal,
        Contradiction
    }

    /// @notice What a scorer said in a dispute.
    enum Vote {
        None,
        Sealed,
        For,
        Against
    }

    /// @notice How a dispute ended.
    enum Verdict {
        None,
        Upheld,
        Dismissed,
        Undecided
    }

    /// @notice A dispute.
    /// @param round The round.
    /// @param challenger Who put down the bond.
    /// @param filedAt When, in seconds.
    /// @param votesFor How many scorers recomputed the published leaf.
    /// @param votesAgainst How many recomputed another one.
    /// @param verdict How it ended; None before `decide`.
    /// @param kind The leaf's kind.
    /// @param position The leaf's position.
    /// @param tolerances How far the leaf's toleranced figures may be from recomputed ones: one value, or for a contribution
    /// leaf the contribution's and the standard errors', for an estimate leaf that of residual and spread and the misses'.
    /// @param payloadHash The hash of the leaf's payload.
    struct Dispute {
        uint64 round;
        address challenger;
        uint40 filedAt;
        uint8 votesFor;
        uint8 votesAgainst;
        Verdict verdict;
        uint32 kind;
        uint32 position;
        uint256[2] tolerances;
        bytes32 payloadHash;
    }

    /// @notice A fault was proved. `culprit` lost its stake or bond, if it had one.
    event FaultProved(Fault indexed fault, uint64 indexed round, address indexed culprit, address prover);

    /// @notice A leaf is disputed. Votes are sealed for one step of `voteTime` from now, revealed in the next, and the
    /// dispute is decided in the third.
    event DisputeFiled(
        uint256 indexed dispute,
        uint64 indexed round,
        address indexed challenger,
        uint32 kind,
        uint32 position,
        bytes payload
    );

    /// @notice A scorer committed to what it recomputed.
    event VoteSealed(uint256 indexed dispute, address indexed scorer);

    /// @notice A scorer revealed what it recomputed.
    event VoteRevealed(uint256 indexed dispute, address indexed scorer, Vote vote, bytes recomputed);

    /// @notice A dispute was decided.
    event DisputeDecided(uint256 indexed dispute, uint64 indexed round, Verdict verdict, uint256 refund);

    /// @notice Thrown when what is shown is no fault.
    error NotAFault();

    /// @notice Thrown when the culprit was punished for this round before.
    error AlreadyPunished(uint64 round, address culprit);

    /// @notice Thrown when a proof is about a round that has not come so far.
    error NothingToProve(uint64 round);

    /// @notice Thrown when the two updates of a proof are not about the same round, inputs and node.
    error DifferentSubjects();

    /// @notice Thrown when something is signed by `signer` and not by `expected`.
    error WrongSigner(address signer, address expected);

    /// @notice Thrown when the node committed on chain, which overrides its receipt.
    error ReceiptOverridden(uint64 round, uint32 node);

    /// @notice Thrown when what is opened does not belong to the round's root.
    error WrongRoot(bytes32 computed, bytes32 expected);

    /// @notice Thrown when a node that was not eligible is said to be missing.
    error NotEligible(uint64 round, uint32 node);

    /// @notice Thrown when a dispute's bond is not exactly the one asked for.
    error WrongDisputeBond(uint256 sent, uint256 bond);

    /// @notice Thrown when a leaf is disputed twice.
    error AlreadyDisputed(uint64 round, uint256 kind, uint256 position);

    /// @notice Thrown when no tree holds leaves of this kind, or another function opens them.
    error BadKind(uint256 kind);

    /// @notice Thrown when there is no such dispute.
    error UnknownDispute(uint256 dispute);

    /// @notice Thrown when a step of a dispute is taken outside its time, from `start` to before `end`.
    error OutOfTime(uint256 start, uint256 end);

    /// @notice Thrown when a scorer votes whose bond did not count when the round opened.
    error NoVote(address account);

    /// @notice Thrown when a scorer seals a second vote.
    error AlreadyVoted(uint256 dispute, address scorer);

    /// @notice Thrown when a vote is revealed that is not the sealed one, or was revealed before.
    error NotTheSealedVote(uint256 dispute, address scorer);

    /// @notice Thrown when a vote is revealed against another payload than the disputed one.
    error WrongPayload(bytes32 hashed, bytes32 expected);

    /// @notice Thrown when a dispute is decided twice.
    error AlreadyDecided(uint256 dispute);

    /// @notice Thrown at deployment when the bond of a dispute is zero: delaying a round would be free.
    error NoDisputeBond();

    /// @notice Proves that a node signed two updates for the same round and inputs. The round stands.
    function proveDoubleUpdate(
        TypedData.Update calldata first,
        bytes calldata firstSignature,
        TypedData.Update calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice Proves that the update root has something else at a node's slot than the aggregator's receipt promised.
    /// @dev A receipt for what this round could not hold is none of it: it is of other inputs, or of another key, and was
    /// given in a history of the chain that was rolled back.
    /// @param update The update that the receipt was given for.
    /// @param signature The node's EIP-712 signature of it.
    /// @param receipt The aggregator's EIP-712 signature of the receipt, whose leaf is that update's.
    /// @param slot What the tree has there, zero when nothing.
    /// @param siblings The slot's path to the update root.
    /// @param closeBlockHash The hash of the block that closed the round, here and below: with the update root it is what
    /// the seed of a proposed round is made of. Before the proposal it plays no part.
    function proveBrokenReceipt(
        TypedData.Update calldata update,
        bytes calldata signature,
        bytes calldata receipt,
        bytes32 slot,
        bytes32[] calldata siblings,
        bytes32 closeBlockHash
    ) external;

    /// @notice Proves that the update root has something else at a node's slot than the node committed to on chain.
    function proveMissingCommit(
        uint64 round,
        uint32 node,
        bytes32 slot,
        bytes32[] calldata siblings,
        bytes32 closeBlockHash
    ) external;

    /// @notice Proves that a round was closed before its time although an eligible node had not committed.
    function proveEarlyClose(uint64 round, uint32 node, bytes32[] calldata siblings, bytes32 closeBlockHash) external;

    /// @notice Proves that the update root holds an update that the node's key did not sign, or that is not about this
    /// round, its inputs and the node at whose slot it is.
    function proveForgedUpdate(
        uint64 round,
        uint32 node,
        TypedData.Update calldata update,
        bytes calldata signature,
        bytes32[] calldata siblings,
        bytes32 closeBlockHash
    ) external;

    /// @notice Proves that a header under the evidence root contradicts what the chain knows of the round: federation,
    /// round, inputs, seed or update root.
    function proveWrongHeader(uint64 round, Evidence.Header calldata header, bytes32 updateRoot, bytes32 closeBlockHash)
        external;

    /// @notice Proves that a node's standard error or basis does not follow from its contribution leaf and the header.
    function proveWrongBasis(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external;

    /// @notice Proves that a node's score is not its part of the whole.
    /// @dev For a node without a contribution leaf, use `proveUnfoundedScore`.
    function proveWrongScore(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external;

    /// @notice Proves that a node without a contribution leaf has a score.
    function proveUnfoundedScore(
        uint64 round,
        Evidence.Header calldata header,
        uint32 node,
        Trees.SumOpening calldata opening
    ) external;

    /// @notice Proves that the sum tree does not sum to the header's T, or not at all, on the way to one leaf.
    function proveWrongTotal(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external;

    /// @notice Proves that a scorer attested to a round and then revealed a recomputation that contradicts it.
    function proveContradiction(uint256 number, address scorer) external;

    /// @notice Disputes a leaf of a proposed round, of any kind but contributions. Needs exactly `disputeBond`.
    /// @param round The round.
    /// @param header The header under its evidence root.
    /// @param kind The leaf's kind.
    /// @param position The leaf's position.
    /// @param payload The leaf's payload.
    /// @param siblings The leaf's path to the root of its kind.
    /// @return number The dispute's number.
    function dispute(
        uint64 round,
        Evidence.Header calldata header,
        uint32 kind,
        uint32 position,
        bytes calldata payload,
        bytes32[] calldata siblings
    ) external payable returns (uint256 number);

    /// @notice Disputes a contribution leaf. Needs exactly `disputeBond`.
    function disputeContribution(
        uint64 round,
        Evidence.Header calldata header,
        Evidence.Contribution calldata leaf,
        Trees.SumOpening calldata opening
    ) external payable returns (uint256 number);

    /// @notice Commits to what the caller, a scorer of the round, recomputed.
    /// @param number The dispute's number.
    /// @param sealed_ keccak256(abi.encode(number, scorer, recomputed, salt)).
    function sealVote(uint256 number, bytes32 sealed_) external;

    /// @notice Reveals what the caller recomputed, and counts its vote.
    /// @param number The dispute's number.
    /// @param payload The disputed payload.
    /// @param recomputed The payload that the caller got.
    /// @param salt What the sealed vote was salted with.
    function revealVote(uint256 number, bytes calldata payload, bytes calldata recomputed, bytes32 salt) external;

    /// @notice Decides a dispute by its votes, after they are revealed. Anyone may.
    function decide(uint256 number) external;

    /// @notice A dispute. Reverts with `UnknownDispute`.
    function disputeOf(uint256 number) external view returns (Dispute memory);

    /// @notice What a scorer did in a dispute.
    function voteOf(uint256 number, address scorer) external view returns (Vote);

    /// @notice How many disputes were filed; they are numbered from zero.
    function disputeCount() external view returns (uint256);

    /// @notice The bond of a dispute, in wei.
    function disputeBond() external view returns (uint256);

    /// @notice The ledger whose rounds are judged here.
    function ledger() external view returns (address);

    /// @notice The registry whose stakes and bonds are at stake.
    function registry() external view returns (address);
}
