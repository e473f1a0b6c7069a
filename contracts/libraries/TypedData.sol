// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title TypedData
/// @notice What is signed or hashed by more than one side: the EIP-712 domain and the six signed types of a federation,
/// the inputs that a round is bound to, and the seed. The Python side is `protocol/`; both are checked against
/// `protocol/vectors.json`.
library TypedData {
    /// @notice What a node commits to in a round, signed by its signing key.
    /// @param round The round's number.
    /// @param inputs The hash of everything that was fixed when the round opened.
    /// @param node The node's index.
    /// @param baseModel The hash of the model that the round starts from.
    /// @param parameters The salted commitment to the update's body.
    /// @param samples How many samples the node trained on.
    struct Update {
        uint64 round;
        bytes32 inputs;
        uint32 node;
        bytes32 baseModel;
        bytes32 parameters;
        uint32 samples;
    }

    /// @notice The aggregator's word that it holds a node's commitment.
    /// @param round The round's number.
    /// @param node The node's index.
    /// @param leaf The leaf that the aggregator will put into the round's update tree.
    struct Receipt {
        uint64 round;
        uint32 node;
        bytes32 leaf;
    }

    /// @notice A scorer's word that it replayed a round and got the same outcome.
    /// @param round The round's number.
    /// @param seed The seed that the replay used.
    /// @param evidenceRoot The root of the round's evidence.
    /// @param scoresHash The hash of the packed scores.
    /// @param modelHash The hash of the merged model.
    struct Attestation {
        uint64 round;
        bytes32 seed;
        bytes32 evidenceRoot;
        bytes32 scoresHash;
        bytes32 modelHash;
    }

    /// @notice A member's request to a service, authenticated by its key.
    /// @param method The HTTP method.
    /// @param path The path with its query.
    /// @param bodyHash The hash of the body.
    /// @param nonce Any value that the sender has not used before.
    /// @param deadline The last second at which the request counts.
    struct Request {
        string method;
        string path;
        bytes32 bodyHash;
        bytes32 nonce;
        uint40 deadline;
    }

    /// @notice The operator's permission to join, for one owner and one use.
    /// @param owner The account that may join.
    /// @param maxSamples The highest sample count that the node may report.
    /// @param nonce Any value that the operator has not used before.
    /// @param deadline The last second at which the invitation counts.
    struct Invitation {
        address owner;
        uint32 maxSamples;
        bytes32 nonce;
        uint40 deadline;
    }

    /// @notice A scorer's word that a node's reputation passed the expulsion threshold in a round.
    /// @param round The round's number.
    /// @param node The node's index.
    struct Expulsion {
        uint64 round;
        uint32 node;
    }

    /// @notice Everything that a round is bound to before anybody trains.
    /// @param protocolVersion The version of the formats.
    /// @param parent The round that this one continues.
    /// @param configHash The hash of the federation's configuration.
    /// @param taskHash The hash of the task's sources.
    /// @param baseModel The parent's model.
    /// @param parentEvidence The parent's evidence root, under which the reputation carried in is a leaf.
    /// @param shards The hash of the list of evaluation shards' hashes.
    /// @param rootSet The hash of the aggregator's own clean data.
    struct Inputs {
        uint32 protocolVersion;
        uint64 parent;
        bytes32 configHash;
        bytes32 taskHash;
        bytes32 baseModel;
        bytes32 parentEvidence;
        bytes32 shards;
        bytes32 rootSet;
    }

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant UPDATE_TYPEHASH = keccak256(
        "Update(uint64 round,bytes32 inputs,uint32 node,bytes32 baseModel,bytes32 parameters,uint32 samples)"
    );
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256("Receipt(uint64 round,uint32 node,bytes32 leaf)");
    bytes32 internal constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(uint64 round,bytes32 seed,bytes32 evidenceRoot,bytes32 scoresHash,bytes32 modelHash)");
    bytes32 internal constant REQUEST_TYPEHASH =
        keccak256("Request(string method,string path,bytes32 bodyHash,bytes32 nonce,uint40 deadline)");
    bytes32 internal constant INVITATION_TYPEHASH =
        keccak256("Invitation(address owner,uint32 maxSamples,bytes32 nonce,uint40 deadline)");
    bytes32 internal constant EXPULSION_TYPEHASH = keccak256("Expulsion(uint64 round,uint32 node)");

    bytes32 private constant NAME_HASH = keccak256("fairshare");
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @dev The EIP-712 domain separator of the federation whose ledger is `ledger`: the federation's one identity.
    /// Computed each time, not stored, so that after a fork of the chain the two federations have different ones.
    function domainSeparator(address ledger) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, ledger));
    }

    /// @dev The EIP-712 struct hash of an update.
    function hash(Update memory update) internal pure returns (bytes32) {
        return keccak256(abi.encode(UPDATE_TYPEHASH, update));
    }

    /// @dev The EIP-712 struct hash of a receipt.
    function hash(Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT_TYPEHASH, receipt));
    }

    /// @dev The EIP-712 struct hash of an attestation.
    function hash(Attestation memory attestation) internal pure returns (bytes32) {
        return keccak256(abi.encode(ATTESTATION_TYPEHASH, attestation));
    }

    /// @dev The EIP-712 struct hash of a request.
    function hash(Request memory request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REQUEST_TYPEHASH,
                keccak256(bytes(request.method)),
                keccak256(bytes(request.path)),
                request.bodyHash,
                request.nonce,
                request.deadline
            )
        );
    }

    /// @dev The EIP-712 struct hash of an invitation.
    function hash(Invitation memory invitation) internal pure returns (bytes32) {
        return keccak256(abi.encode(INVITATION_TYPEHASH, invitation));
    }

    /// @dev The EIP-712 struct hash of an expulsion.
    function hash(Expulsion memory expulsion) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXPULSION_TYPEHASH, expulsion));
    }

    /// @dev The hash of everything that a round is bound to.
    function hash(Inputs memory inputs) internal pure returns (bytes32) {
        return keccak256(abi.encode(inputs));
    }

    /// @dev A round's seed: known to nobody before the block after `close`, when all commitments stand.
    function seed(bytes32 federation, uint64 round, bytes32 updateRoot, bytes32 closeBlockHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(federation, round, updateRoot, closeBlockHash));
    }
}
