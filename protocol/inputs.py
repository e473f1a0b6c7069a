"""What a round is opened with: everything known before training, bound by one hash that every Update signs."""

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

PROTOCOL_VERSION = 1


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
        """keccak256(abi.encode(version, parent, config, task, base model, parent evidence, shards hash, root set))."""
        return keccak(
            encode(
                ["uint32", "uint64", *["bytes32"] * 6],
                [
                    PROTOCOL_VERSION,
                    self.parent,
                    self.config_hash,
                    self.task_hash,
                    self.base_model,
                    self.parent_evidence,
                    shards_hash(self.shards),
                    self.root_set,
                ],
            )
        )


def shards_hash(shards: tuple[bytes, ...]) -> bytes:
    """keccak256(abi.encode(bytes32[])): the evaluation shards as `open` takes them."""
    return keccak(encode(["bytes32[]"], [list(shards)]))


def round_seed(federation: bytes, round_number: int, update_root: bytes, close_blockhash: bytes) -> bytes:
    """The round's only source of randomness, unknown until every update is committed.

    keccak256(abi.encode(federation, round, update root, blockhash(close block))), as the RoundLedger stores it.
    """
    types = ["bytes32", "uint64", "bytes32", "bytes32"]
    return keccak(encode(types, [federation, round_number, update_root, close_blockhash]))
