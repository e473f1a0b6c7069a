"""Writes `protocol/vectors.json`. Run it as `python -m tests.protocol.make_vectors` after a format changed on purpose."""

import json
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tests.protocol import by_hand, formats, story
from tests.protocol.by_hand import Tensors, sha256

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors.json"

# Worked out on paper: quotas round down, the units left over go to the largest remainders, then to the lower position.
SHARE_CASES = [
    ([1, 1, 1], 10, [4, 3, 3]),
    ([7, 0, 7, 0], 3, [2, 0, 1, 0]),
    ([1, 2, 3], 7, [1, 2, 4]),  # quotas 1 1/6, 2 1/3, 3 1/2
    ([5], 10_000_000, [10_000_000]),
    ([0, 0, 0], 10_000_000, [0, 0, 0]),
    ([1, 1, 1], 10_000_000, [3_333_334, 3_333_333, 3_333_333]),
    ([1 << 200, 1, 0], 10_000_000, [10_000_000, 0, 0]),
    ([1 << 254, 0, 1 << 253], 10_000_000, [6_666_667, 0, 3_333_333]),
    ([story.BASES.get(index, 0) for index in range(7)], 10_000_000, story.SCORES),
]

SCORE_CASES = [
    (story.SCORES, story.PACKED),
    ([10_000_000], bytes.fromhex("989680")),
    ([0, 9_999_999, 1], bytes.fromhex("00000098967f000001")),
    ([0, 0, 0], b""),
]


def document() -> dict[str, Any]:
    """The whole document; bytes are still bytes."""
    return {
        "about": formats.ABOUT,
        "domain": {
            "format": formats.DOMAIN,
            "type_hash": keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            "name": "fairshare",
            "version": "1",
            "chain_id": story.CHAIN_ID,
            "ledger": story.LEDGER,
            "separator": story.FEDERATION,
        },
        "typed_data": {name: _signed(name, *message) for name, message in story.MESSAGES.items()},
        "config": {
            "format": formats.CONFIG,
            "toml": story.CONFIG,
            "preimage": by_hand.config_preimage(story.CONFIG_ROWS),
            "sha256": story.CONFIG_HASH,
        },
        "model": {
            "format": formats.MODEL,
            "tensors": _tensors(story.BASE),
            "preimage": by_hand.model_preimage(story.BASE),
            "sha256": story.BASE_HASH,
        },
        "body": {
            "format": formats.BODY,
            "tensors": _tensors(story.update_of(5)),
            "file": by_hand.safetensors(story.update_of(5)),
            "sha256": sha256(by_hand.safetensors(story.update_of(5))),
        },
        "commitment": {
            "format": formats.COMMITMENT,
            "federation": story.FEDERATION,
            "round": story.ROUND,
            "node": 5,
            "salt": story.salt_of(5),
            "body_hash": sha256(by_hand.safetensors(story.update_of(5))),
            "commitment": story.commitment_of(5),
        },
        "inputs": {
            "format": formats.INPUTS,
            "protocol_version": 1,
            "parent": story.PARENT,
            "config_hash": story.CONFIG_HASH,
            "task_hash": story.TASK_HASH,
            "base_model": story.BASE_HASH,
            "parent_evidence": story.PARENT_EVIDENCE,
            "shards": story.SHARDS,
            "shards_hash": story.SHARDS_HASH,
            "root_set": story.ROOT_SET,
            "digest": story.INPUTS,
        },
        "seed": {
            "format": formats.SEED,
            "federation": story.FEDERATION,
            "round": story.ROUND,
            "update_root": story.UPDATE_ROOT,
            "close_block_hash": story.CLOSE_BLOCK_HASH,
            "seed": story.SEED,
        },
        "leaves": [
            {
                "format": formats.LEAF,
                "kind": story.KIND_NUMBERS[kind],
                "name": kind,
                "position": at,
                "values": _texts(story.LEAVES[kind][at]),
                "payload": content,
                "hash": story.HASHES[kind][at],
            }
            for kind, payloads in story.PAYLOADS.items()
            for at, content in payloads.items()
        ],
        "update_tree": _update_tree(),
        "sum_tree": _sum_tree(),
        "evidence": {
            "format": formats.EVIDENCE,
            "version": 2,
            "federation": story.FEDERATION,
            "round": story.ROUND,
            "inputs": story.INPUTS,
            "seed": story.SEED,
            "roots": story.ROOTS,
            "total_basis": str(story.TOTAL_BASIS),
            "utility_empty": str(story.UTILITY_EMPTY),
            "utility_all": str(story.UTILITY_ALL),
            "z_thousandths": story.Z_THOUSANDTHS,
            "denominator": str(story.DENOMINATOR),
            "tolerances": story.TOLERANCES,
            "code_version": story.CODE_VERSION,
            "root": story.EVIDENCE_ROOT,
        },
        "score_basis": [
            {
                "format": formats.SCORE_BASIS,
                "contribution": str(story.CONTRIBUTIONS[node]),
                "standard_error": str(story.STANDARD_ERRORS[node]),
                "sampling_error": str(story.SAMPLING_ERRORS[node]),
                "estimation_error": str(story.ESTIMATION_ERRORS[node]),
                "z_thousandths": story.Z_THOUSANDTHS,
                "basis": str(story.BASES[node]),
            }
            for node in story.NODES
        ],
        "shares": [
            {"format": formats.SHARES, "bases": [str(basis) for basis in bases], "total": total, "shares": shares}
            for bases, total, shares in SHARE_CASES
        ],
        "scores": [
            {"format": formats.SCORES, "scores": scores, "packed": packed, "hash": keccak(packed)}
            for scores, packed in SCORE_CASES
        ],
    }


def _signed(name: str, signer: str, values: list[Any]) -> dict[str, Any]:
    wire_names = [part.split()[1] for part in story.TYPES[name].split("(")[1].rstrip(")").split(",")]
    struct_hash = by_hand.struct_hash(story.TYPES[name], values)
    digest = by_hand.signing_digest(story.FEDERATION, struct_hash)
    return {
        "format": formats.TYPED_DATA,
        "type": story.TYPES[name],
        "type_hash": keccak(text=story.TYPES[name]),
        "message": dict(zip(wire_names, values, strict=True)),
        "struct_hash": struct_hash,
        "digest": digest,
        "private_key": story.key(signer).to_bytes(32, "big"),
        "signer": by_hand.address(story.key(signer)),
        "signature": by_hand.sign(story.key(signer), digest),
    }


def _update_tree() -> dict[str, Any]:
    hashes, payloads = story.HASHES["UPDATE"], story.PAYLOADS["UPDATE"]
    return {
        "format": formats.UPDATE_TREE,
        "federation": story.FEDERATION,
        "kind": story.KIND_NUMBERS["UPDATE"],
        "depth": 13,
        "root": story.UPDATE_ROOT,
        "leaves": [{"position": at, "payload": payloads[at], "hash": hashes[at]} for at in story.NODES],
        "proofs": [
            {"position": at, "leaf": hashes.get(at, bytes(32)), "siblings": by_hand.siblings(hashes, 13, at)}
            for at in (*story.NODES, 8190)
        ],
    }


def _sum_tree() -> dict[str, Any]:
    hashes, payloads = story.HASHES["CONTRIBUTION"], story.PAYLOADS["CONTRIBUTION"]

    def proof(at: int) -> dict[str, Any]:
        leaf, below = story.SUM_LEAVES.get(at, (bytes(32), 0))
        siblings = by_hand.sum_siblings(story.SUM_LEAVES, 13, at)
        return {
            "position": at,
            "leaf": leaf,
            "sum": str(below),
            "siblings": [hashed for hashed, _ in siblings],
            "sibling_sums": [str(below) for _, below in siblings],
        }

    return {
        "format": formats.SUM_TREE,
        "federation": story.FEDERATION,
        "kind": story.KIND_NUMBERS["CONTRIBUTION"],
        "depth": 13,
        "root": story.SUM_ROOT,
        "total": str(story.TOTAL_BASIS),
        "leaves": [
            {"position": at, "payload": payloads[at], "hash": hashes[at], "sum": str(story.BASES[at])} for at in story.NODES
        ],
        "proofs": [proof(at) for at in (*story.NODES, 8190)],
    }


def _tensors(tensors: Tensors) -> list[dict[str, Any]]:
    return [{"name": name, "shape": shape, "data": by_hand.float32(values)} for name, shape, values in tensors]


def _texts(values: list[Any]) -> list[Any]:
    return [
        "0x" + value.hex() if isinstance(value, bytes) else _texts(value) if isinstance(value, list) else str(value)
        for value in values
    ]


def rendered() -> str:
    """The text of `protocol/vectors.json`."""
    return json.dumps(document(), indent=1, ensure_ascii=False, default=lambda value: "0x" + value.hex()) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(rendered(), encoding="utf-8")
