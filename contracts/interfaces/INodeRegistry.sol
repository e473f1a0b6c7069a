// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {TypedData} from "../libraries/TypedData.sol";
import {IBondRegistry} from "./IBondRegistry.sol";

/// @title INodeRegistry
/// @notice Who takes part in a federation: its nodes with their keys and stakes, and, as `IBondRegistry` says, its aggregator
/// and scorers.
///
/// A node is an owner with one permanent index. The owner, which may be any contract, joins with an invitation and a
/// stake, and acts by transactions; a signing key, a plain key that may rotate, signs the node's updates; a payout
/// address receives its rewards. Every change of membership takes effect with the next round to be opened, and the whole
/// history is kept: who could take part in a round, with which key, is the same answer for ever.
interface INodeRegistry is IBondRegistry {
    /// @notice One eligible node of a round.
    /// @param node The node's index.
    /// @param signer The key that signs for it in that round.
    /// @param maxSamples The highest sample count that it may report.
    struct RosterEntry {
        uint32 node;
        address signer;
        uint32 maxSamples;
    }

    /// @notice A node as it stands now.
    /// @param owner The account that joined, which gets the stake back.
    /// @param payout The account that receives the rewards.
    /// @param stake What the registry holds for it, in wei.
    /// @param unbondingUntil When the stake can be withdrawn, in seconds; zero when the node is not leaving.
    /// @param signer The key that signs for it from the next round on; zero when it has left.
    /// @param maxSamples The highest sample count that it may report from the next round on; zero when it has left.
    /// @param expelled Whether it was expelled, and can only come back with an invitation.
    struct Node {
        address owner;
        address payout;
        uint256 stake;
        uint40 unbondingUntil;
        address signer;
        uint32 maxSamples;
        bool expelled;
    }

    /// @notice A node joined; it is eligible from round `fromRound` on. Without an invitation, the nonce is zero.
    event NodeJoined(
        uint32 indexed node,
        address indexed owner,
        address indexed signer,
        address payout,
        uint256 stake,
        uint32 maxSamples,
        bytes32 invitationNonce,
        uint64 fromRound
    );

    /// @notice A node's signing key changed; the new one signs from round `fromRound` on.
    event KeyRotated(uint32 indexed node, address indexed signer, uint64 fromRound);

    /// @notice A node's payout address changed, for everything not yet claimed.
    event PayoutChanged(uint32 indexed node, address indexed payout);

    /// @notice A node leaves: it is not eligible from round `fromRound` on, and its stake is free at `unbondingUntil`.
    event NodeLeft(uint32 indexed node, uint64 fromRound, uint40 unbondingUntil);

    /// @notice A node was expelled for what a quorum of scorers saw in round `round`. `NodeLeft` says the rest, unless it
    /// was leaving already.
    event NodeExpelled(uint32 indexed node, uint64 indexed round);

    /// @notice A node that left got its stake back.
    event StakeWithdrawn(uint32 indexed node, address indexed owner, uint256 amount);

    /// @notice A node lost its stake and its membership: `award` is owed to `beneficiary`, the rest was burned.
    event StakeSlashed(
        uint32 indexed node, uint256 amount, address indexed beneficiary, uint256 award, uint64 fromRound
    );

    /// @notice Thrown when a scorer would become the owner or the signing key of a node: it would judge itself.
    error ScorerCannotBeNode(address account);

    /// @notice Thrown when an invitation for `owner` is used by `caller`.
    error NotTheInvited(address caller, address owner);

    /// @notice Thrown when an invitation is used after its deadline.
    error InvitationExpired(uint40 deadline);

    /// @notice Thrown when an invitation with this nonce has been used before.
    error InvitationUsed(bytes32 nonce);

    /// @notice Thrown when an invitation is signed by `signer`, which is no operator of the federation.
    error NotAnOperator(address signer);

    /// @notice Thrown when the value sent with `join` is below the minimum stake.
    error StakeTooLow(uint256 sent, uint256 minimum);

    /// @notice Thrown when the owner's node has not left, or has not withdrawn its stake yet.
    error AlreadyJoined(uint32 node);

    /// @notice Thrown when all indices are taken.
    error RegistryFull(uint256 maxNodes);

    /// @notice Thrown when a signing key is the zero address.
    error BadSigningKey(address key);

    /// @notice Thrown when a payout address is the zero address.
    error BadPayout(address payout);

    /// @notice Thrown when `owner` has never joined.
    error NotANode(address owner);

    /// @notice Thrown when no node has the index `node`.
    error UnknownNode(uint32 node);

    /// @notice Thrown when a node that left rotates its key or leaves again.
    error NodeHasLeft(uint32 node);

    /// @notice Thrown when the stake of a node that is not leaving is withdrawn.
    error NotLeaving(uint32 node);

    /// @notice Thrown when a stake is withdrawn before `until`.
    error StakeLocked(uint32 node, uint40 until);

    /// @notice Thrown when somebody joins without an invitation, and this federation is not open.
    error InvitationNeeded();

    /// @notice Thrown when an expelled node joins without a new invitation, or is expelled again.
    error NodeIsExpelled(uint32 node);

    /// @notice Thrown when a node is expelled for a round that is not Final, or before it joined (again).
    error NotExpellable(uint32 node, uint64 round);

    /// @notice Thrown when a node has no stake left that could be slashed.
    error NothingToSlash(uint32 node);

    /// @notice Joins with the operator's invitation and a stake, of at least `minimumStake`, in the native coin. The
    /// caller becomes the node's owner; it keeps its index when it was a node before.
    /// @dev A signing key is not asked to prove that it agrees: who enters another's cannot sign with it, and does not keep
    /// its owner from using it.
    /// @param signingKey The plain key that will sign the node's updates.
    /// @param payout The account that will receive the rewards.
    /// @param invitation The operator's invitation, for the caller.
    /// @param signature The operator's EIP-712 signature of it, 65 bytes.
    /// @return node The node's permanent index.
    function join(
        address signingKey,
        address payout,
        TypedData.Invitation calldata invitation,
        bytes calldata signature
    ) external payable returns (uint32 node);

    /// @notice Joins an open federation, without an invitation: for the stake and a fee, which is burned. Otherwise as with
    /// one, and with one sample bound for all.
    /// @param signingKey The plain key that will sign the node's updates.
    /// @param payout The account that will receive the rewards.
    /// @return node The node's permanent index.
    function joinOpen(address signingKey, address payout) external payable returns (uint32 node);

    /// @notice Replaces the signing key of the caller's node from the next round on.
    /// @param newKey The new key.
    function rotateKey(address newKey) external;

    /// @notice Replaces the payout address of the caller's node, also after it left.
    /// @param payout The account that will receive everything not yet claimed.
    function setPayout(address payout) external;

    /// @notice Leaves: the caller's node is not eligible for any round opened from now on.
    function leaveFederation() external;

    /// @notice Sends the stake of a node that left back to its owner, after unbonding. Anyone may pay the gas.
    /// @param node The node's index.
    function withdraw(uint32 node) external;

    /// @notice Expels a node for its reputation in a Final round: it is not eligible from the next round on, and gets its
    /// stake back after unbonding. Anyone may send it; a quorum of that round's scorers authorises it.
    /// @param expulsion The node and the round.
    /// @param signatures The scorers' EIP-712 signatures of it, as `verifyQuorum` takes them.
    function expel(TypedData.Expulsion calldata expulsion, bytes[] calldata signatures) external;

    /// @notice Takes a node's whole stake and its membership, also while it is unbonding. Only the court may.
    /// @param node The node's index.
    /// @param beneficiary Who gets the fee of a prover, but at most half.
    function slashNode(uint32 node, address beneficiary) external;

    /// @notice Whether a node could take part in a round: it joined before the round opened, and left after.
    /// @dev For a round that is not open yet: as things stand now.
    function eligible(uint32 node, uint64 round) external view returns (bool);

    /// @notice The signing key and the highest sample count of a node in a round, both zero when it was not eligible.
    /// @dev For a round that is not open yet: as things stand now.
    function membershipAt(uint32 node, uint64 round) external view returns (address signer, uint32 maxSamples);

    /// @notice The nodes eligible for a round, by ascending index.
    /// @dev Reads every node's history: for calls off chain.
    function roster(uint64 round) external view returns (RosterEntry[] memory entries);

    /// @notice How many nodes have ever joined; their indices are below it.
    function nodeCount() external view returns (uint32);

    /// @notice A node as it stands now. Reverts with `UnknownNode`.
    function nodeOf(uint32 node) external view returns (Node memory);

    /// @notice The account that receives a node's rewards. Reverts with `UnknownNode`.
    function payoutOf(uint32 node) external view returns (address);

    /// @notice The index of an owner's node. Reverts with `NotANode`.
    function indexOf(address owner) external view returns (uint32);

    /// @notice Whether an invitation with this nonce has been used.
    function invitationUsed(bytes32 nonce) external view returns (bool);

    /// @notice The least stake to join with, in wei.
    function minimumStake() external view returns (uint256);

    /// @notice What joining without an invitation costs, in wei, and the sample bound that it gives; a bound of zero means
    /// that nobody joins so.
    function openTerms() external view returns (uint256 fee, uint32 maxSamples);

    /// @notice How many nodes there can ever be: as many as a round's score vector has room for.
    // forge-lint: disable-next-line(mixed-case-function)
    function MAX_NODES() external view returns (uint32);
}
