"""What a round is opened with: everything known before training, bound by one hash that every Update signs."""

from dataclasses import dataclass

from eth_utils.crypto import keccak

from protocol.abi import encode_fields

PROTOCOL_VERSION = 1

_BOUND_FIELDS = (
    ("uint32", "version"),
    ("uint64", "parent"),
    ("bytes32", "config hash"),
    ("bytes32", "task hash"),
    ("bytes32", "base model"),
    ("bytes32", "parent evidence"),
    ("bytes32", "shards hash"),
    ("bytes32", "root set"),
)
_SEED_FIELDS = (("bytes32", "federation"), ("uint64", "round"), ("bytes32", "update root"), ("bytes32", "close block's hash"))


@dataclass(frozen=True)
class BoundInputs:
    """The preimage of `inputs`. The RoundLedger computes the same hash in `open` from what it stores itself.

    All hashes are 32 bytes: config, task source and root set are SHA-256, `base_model` is a model hash, `parent_evidence`
    the evidence root of the parent round (zero for genesis), `shards` the SHA-256 of each evaluation shard.
    """

    parent: int
    config_hash: bytes
    task_hash: bytes
    base_model: bytes
    parent_evidence: bytes
    shards: tuple[bytes, ...]
    root_set: bytes

    def digest(self) -> bytes:
        """keccak256(abi.encode(version, parent, config, task, base model, parent evidence, shards hash, root set)).

        Raises `FormatError` naming what does not have its width.
        """
        values = (
            PROTOCOL_VERSION,
            self.parent,
            self.config_hash,
            self.task_hash,
            self.base_model,
            self.parent_evidence,
            shards_hash(self.shards),
            self.root_set,
        )
        return keccak(encode_fields(_BOUND_FIELDS, values))


def shards_hash(shards: tuple[bytes, ...]) -> bytes:
    """keccak256(abi.encode(bytes32[])): the evaluation shards as `open` takes them."""
    return keccak(encode_fields([("bytes32[]", "shards")], [shards]))


def round_seed(federation: bytes, round_number: int, update_root: bytes, close_blockhash: bytes) -> bytes:
    """The round's only source of randomness, unknown until every update is committed.

    keccak256(abi.encode(federation, round, update root, blockhash(close block))), as the RoundLedger stores it.
    """
    return keccak(encode_fields(_SEED_FIELDS, (federation, round_number, update_root, close_blockhash)))
