"""The sentence beside each vector: enough to write the format a third time, in any language."""

ABOUT = (
    "Test vectors of the fairshare protocol, version 1. Bytes are 0x-hex; integers that may pass 2^53 are decimal strings, "
    "other integers are JSON numbers; ‖ is concatenation. All vectors belong to one story: federation, round and hashes are "
    "the same everywhere. Written by tests/protocol/make_vectors.py."
)

DOMAIN = (
    "EIP-712 domain separator, called `federation` everywhere: "
    "keccak256(abi.encode(type_hash, keccak256(name), keccak256(version), chain_id, ledger))"
)

TYPED_DATA = (
    "EIP-712: struct_hash = keccak256(type_hash ‖ encoded fields); digest = keccak256(0x1901 ‖ domain separator ‖ struct_hash); "
    "signature = r ‖ s ‖ v, nonce by RFC 6979, low s, v 27 or 28"
)

CONFIG = (
    'SHA-256 of preimage: tag "fairshare/config/1", then for every value, in the order of the dotted keys: key, "int" or "str", '
    "value as text, each with its length in 4 bytes (big-endian) before it. Decimals are scaled to integers: those of the "
    "recipe by 10^9, money by 10^18, those of the gate and z by 10^3"
)

MODEL = (
    'SHA-256 of preimage: tag "fairshare/model/1", then for every tensor, in declared order: length of the name (4 bytes), name, '
    '"F32", number of dimensions (4 bytes), dimensions (8 bytes each), values as little-endian float32; other integers big-endian'
)

BODY = "the safetensors file of an update (trained minus base), and its SHA-256"

COMMITMENT = (
    'SHA-256("fairshare/commitment/1" ‖ federation ‖ round (8 bytes) ‖ node (4 bytes) ‖ salt ‖ body_hash), integers big-endian: '
    "the field `parameters` of an Update"
)

INPUTS = (
    "keccak256(abi.encode(uint32 protocol_version, uint64 parent, bytes32 config_hash, bytes32 task_hash, bytes32 base_model, "
    "bytes32 parent_evidence, bytes32 shards_hash, bytes32 root_set)); shards_hash = keccak256(abi.encode(bytes32[] shards))"
)

SEED = "keccak256(abi.encode(bytes32 federation, uint64 round, bytes32 update_root, bytes32 close_block_hash))"

LEAF = (
    "keccak256(0x00 ‖ federation ‖ abi.encode(uint256 kind, uint256 position, bytes payload)); payload = abi.encode(values), "
    "with the types of the table in protocol/evidence.py"
)

UPDATE_TREE = (
    "depth 13, position = node index, empty leaf 0, inner = keccak256(0x01 ‖ left ‖ right); siblings from the leaf up; "
    "payload = abi.encode(uint64 round, bytes32 inputs, uint32 node, bytes32 baseModel, bytes32 parameters, uint32 samples, "
    "bytes signature); the last proof is that of an empty slot"
)

SUM_TREE = (
    "score bases: depth 13, position = node index, empty leaf (0, sum 0), "
    "inner = keccak256(0x02 ‖ left ‖ sumLeft ‖ right ‖ sumRight) with sums of 32 bytes; the leaves are contribution leaves with "
    "their basis as sum; the last proof is that of an empty slot"
)

EVIDENCE = (
    "keccak256(abi.encode(uint32 version, bytes32 federation, uint64 round, bytes32 inputs, bytes32 seed, bytes32[13] roots, "
    "uint256 total_basis, int256 utility_empty, int256 utility_all, uint32 z_thousandths, uint256 denominator, "
    "uint64[5] tolerances, bytes32 code_version)); roots in the order of the leaf kinds 1 to 13, that of kind 8 is the sum "
    "tree's; the trees of kinds 1, 7, 11 and 12 have depth 20, all others 13"
)

SCORE_BASIS = "basis = max(0, 1000 contribution - z_thousandths standard_error)"

SHARES = (
    "largest remainder: floor(basis total / sum of bases) each, the units left over to the largest remainders, ties to the "
    "lower position; all zero if every basis is zero"
)

SCORES = "uint24 big-endian by node index; all zero is written as no bytes at all; hash = keccak256(packed)"
