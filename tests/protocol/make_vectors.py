"""Writes `protocol/vectors.json` by `tests.protocol.by_hand`, without the code that it tests.

Run it as `python -m tests.protocol.make_vectors` after a format has changed on purpose; the vectors tell one round's story.
"""

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from tests.protocol import by_hand

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors.json"

ABOUT = (
    "Test vectors of the fairshare protocol, version 1. Bytes are 0x-hex; integers that may pass 2^53 are decimal strings, others "
    "are JSON numbers; U+2016 is concatenation. All vectors belong to one story: federation, round and hashes are the same everywhere."
)

LEDGER, CHAIN_ID = "0x5FbDB2315678afecb367f032d93F642f64180aa3", 31337
ROUND, PARENT = 7, 5
NODES = (0, 5, 6)
KEYS = {
    name: int.from_bytes(keccak(text=f"fairshare test key: {name}"), "big")
    for name in ("operator", "aggregator", "scorer", "owner", "node 0", "node 5", "node 6")
}

CONFIG = """\
# The federation of the test vectors.
[federation]
name = "Größen"
task = "Digits"

[recipe]
optimizer = "sgd"
learning_rate = "0.05"
momentum = "0.9"
weight_decay = "0.000000001"
batch_size = 32
epochs = 2

[rounds]
minimum_commits = 2
commit_seconds = 60
close_seconds = 30
reveal_seconds = 60
propose_seconds = 120
window_seconds = 60
body_bytes = 16777216

[gate]
norm_multiple = "10"

[contributions]
permutation_pairs = 200

[pay]
token_name = "Fairshare Digits"
token_symbol = "FSD"
cap = "1000000"
pool = "1000"
z = "0.5"

[stake]
minimum = "0.01"
unbonding_seconds = 3600

[tolerance]
statistics = 16
utility = 64
standard_error = 1024
"""

# Sorted by key, decimals scaled by hand: 9 places in the recipe, 18 for money, 3 for the rest.
CONFIG_ROWS: list[tuple[str, int | str]] = [
    ("contributions.permutation_pairs", 200),
    ("federation.name", "Größen"),
    ("federation.task", "Digits"),
    ("gate.norm_multiple", 10_000),
    ("pay.cap", 1_000_000_000_000_000_000_000_000),
    ("pay.pool", 1_000_000_000_000_000_000_000),
    ("pay.token_name", "Fairshare Digits"),
    ("pay.token_symbol", "FSD"),
    ("pay.z", 500),
    ("recipe.batch_size", 32),
    ("recipe.epochs", 2),
    ("recipe.learning_rate", 50_000_000),
    ("recipe.momentum", 900_000_000),
    ("recipe.optimizer", "sgd"),
    ("recipe.weight_decay", 1),
    ("rounds.body_bytes", 16_777_216),
    ("rounds.close_seconds", 30),
    ("rounds.commit_seconds", 60),
    ("rounds.minimum_commits", 2),
    ("rounds.propose_seconds", 120),
    ("rounds.reveal_seconds", 60),
    ("rounds.window_seconds", 60),
    ("stake.minimum", 10_000_000_000_000_000),
    ("stake.unbonding_seconds", 3_600),
    ("tolerance.standard_error", 1024),
    ("tolerance.statistics", 16),
    ("tolerance.utility", 64),
]

# Declared in this order, which is not that of the names: a matrix, a vector with a non-ASCII name, a scalar, an empty tensor.
BASE = [
    ("weight", [2, 3], [1.0, -2.5, 0.0, -0.0, 3.0e-45, 0.1]),
    ("größe", [3], [0.25, 0.5, 0.75]),
    ("scale", [], [3.0]),
    ("empty", [0, 4], []),
]
MERGED = [(name, shape, [value + 1 for value in values]) for name, shape, values in BASE]
# What node 5 sends; the others send the same multiplied by their index plus two, for the sake of different hashes.
UPDATE = [(name, shape, [0.5 + i for i in range(len(values))]) for name, shape, values in BASE]

KIND_NAMES = (
    "INPUT", "ROSTER", "UPDATE", "BODY", "STATISTICS", "VERDICT", "UTILITY", "CONTRIBUTION", "SCORE", "REPUTATION", "MODEL",
)  # fmt: skip
LIST_KINDS = {"INPUT", "UTILITY", "MODEL"}

TYPES = {
    "update": "Update(uint64 round,bytes32 inputs,uint32 node,bytes32 baseModel,bytes32 parameters,uint32 samples)",
    "receipt": "Receipt(uint64 round,uint32 node,bytes32 leaf)",
    "attestation": "Attestation(uint64 round,bytes32 seed,bytes32 evidenceRoot,bytes32 scoresHash,bytes32 modelHash)",
    "request": "Request(string method,string path,bytes32 bodyHash,bytes32 nonce,uint40 deadline)",
    "invitation": "Invitation(address owner,uint32 maxSamples,bytes32 nonce,uint40 deadline)",
}

# Worked out on paper: quotas round down, the units left over go to the largest remainders, then to the lower index.
SHARE_CASES = [
    ([1, 1, 1], 10, [4, 3, 3]),
    ([7, 0, 7, 0], 3, [2, 0, 1, 0]),
    ([1, 2, 3], 7, [1, 2, 4]),  # quotas 1 1/6, 2 1/3, 3 1/2
    ([5], 10_000_000, [10_000_000]),
    ([0, 0, 0], 10_000_000, [0, 0, 0]),
    ([1, 1, 1], 10_000_000, [3_333_334, 3_333_333, 3_333_333]),
    ([1 << 200, 1, 0], 10_000_000, [10_000_000, 0, 0]),
    ([1 << 255, 0, 1 << 254], 10_000_000, [6_666_667, 0, 3_333_333]),
]


def salted(text: str) -> bytes:
    """A hash that stands for something outside the protocol."""
    return by_hand.sha256(text.encode())


def build() -> dict[str, Any]:
    """The whole document, bytes and big integers still as such; see `rendered`."""
    federation = by_hand.domain_separator(CHAIN_ID, LEDGER)
    config_hash = by_hand.sha256(by_hand.config_preimage(CONFIG_ROWS))
    base_hash, merged_hash = (by_hand.sha256(by_hand.model_preimage(tensors)) for tensors in (BASE, MERGED))

    shards = [salted("evaluation shard 0"), salted("evaluation shard 1")]
    shards_hash = keccak(by_hand.word(32) + by_hand.words_tail(shards))
    bound = [config_hash, salted("task source"), base_hash, salted("parent's evidence"), shards_hash, salted("root set")]
    inputs = keccak(by_hand.word(1) + by_hand.word(PARENT) + b"".join(bound))

    bodies, salts, commitments, updates, signatures, leaves = {}, {}, {}, {}, {}, {kind: {} for kind in KIND_NAMES}
    for node in NODES:
        factor = 1 if node == 5 else node + 2
        bodies[node] = by_hand.safetensors([(name, shape, [factor * v for v in values]) for name, shape, values in UPDATE])
        salts[node] = salted(f"salt of node {node}")
        opening = federation + ROUND.to_bytes(8, "big") + node.to_bytes(4, "big") + salts[node] + by_hand.sha256(bodies[node])
        commitments[node] = by_hand.sha256(b"fairshare/commitment/1" + opening)
        updates[node] = [ROUND, inputs, node, base_hash, commitments[node], 100 + node]
        digest = by_hand.signing_digest(federation, by_hand.struct_hash(TYPES["update"], updates[node]))
        signatures[node] = by_hand.sign(KEYS[f"node {node}"], digest)
        leaves["UPDATE"][node] = [*updates[node], signatures[node]]
        leaves["ROSTER"][node] = [by_hand.address(KEYS[f"node {node}"]), 1000]
        tensors = [(name, shape, [factor * value for value in values]) for name, shape, values in UPDATE]
        fingerprint = by_hand.sha256(by_hand.model_preimage(tensors))
        leaves["BODY"][node] = [by_hand.sha256(bodies[node]), salts[node], fingerprint]

    contributions, errors, z = {0: 3 << 60, 5: -(1 << 58), 6: (1 << 60) + 1}, {0: 1 << 40, 5: 9, 6: 2}, 500
    bases = {node: max(0, 1000 * contributions[node] - z * errors[node]) for node in NODES}
    scores = _apportioned([bases.get(index, 0) for index in range(7)], 10_000_000)
    packed = b"".join(score.to_bytes(3, "big") for score in scores)

    leaves["INPUT"] = {
        0: [bound[0]],
        1: [bound[1]],
        2: [bound[2]],
        3: [bound[3]],
        4: [bound[5]],
        16: [shards[0]],
        17: [shards[1]],
    }
    leaves["STATISTICS"] = {0: [[1 << 20, -1]], 5: [[]], 6: [[12345]]}
    leaves["VERDICT"] = {0: [1, 1, 65536], 5: [1, 1, 65536], 6: [2, 2, 40000]}
    leaves["UTILITY"] = {0: [b"", 0, 0], 1: [b"\x01", 0, 123456], 2: [b"\x61", 1, -5]}
    leaves["CONTRIBUTION"] = {node: [node, contributions[node], errors[node], bases[node]] for node in NODES}
    leaves["SCORE"] = {node: [scores[node]] for node in NODES}
    leaves["REPUTATION"] = {0: [0], 5: [-3], 6: [1 << 40]}
    leaves["MODEL"] = {0: [merged_hash]}

    payloads = {kind: {at: by_hand.payload(kind, v) for at, v in sorted(found.items())} for kind, found in leaves.items()}
    hashes = {
        kind: {at: by_hand.leaf(federation, number, at, content) for at, content in payloads[kind].items()}
        for number, kind in enumerate(KIND_NAMES, start=1)
    }
    sum_leaves = {node: (hashes["CONTRIBUTION"][node], bases[node]) for node in NODES}
    sum_root, total = by_hand.sum_subtree(sum_leaves, 13)
    roots = [
        sum_root if kind == "CONTRIBUTION" else by_hand.subtree(hashes[kind], 20 if kind in LIST_KINDS else 13)
        for kind in KIND_NAMES
    ]
    update_root = roots[KIND_NAMES.index("UPDATE")]
    close_hash = salted("the close block")
    seed = keccak(federation + by_hand.word(ROUND) + update_root + close_hash)

    code_version = salted("code version")
    utility_empty, utility_all, denominator = -(1 << 70), 1 << 71, 6
    head = [by_hand.word(1), federation, by_hand.word(ROUND), inputs, seed, *roots]
    tail = [total, utility_empty, utility_all, z, denominator, code_version]
    evidence_root = keccak(b"".join(head) + b"".join(map(by_hand.word, tail)))

    def signed(name: str, key: str, message: dict[str, Any]) -> dict[str, Any]:
        hashed = by_hand.struct_hash(TYPES[name], list(message.values()))
        digest = by_hand.signing_digest(federation, hashed)
        return {
            "format": "EIP-712: struct_hash = keccak256(type_hash \u2016 encoded fields); digest = keccak256(0x1901 \u2016 domain separator "
            "\u2016 struct_hash); signature = r \u2016 s \u2016 v, RFC 6979, low s, v 27 or 28",
            "type": TYPES[name],
            "type_hash": keccak(text=TYPES[name]),
            "message": message,
            "struct_hash": hashed,
            "digest": digest,
            "private_key": KEYS[key].to_bytes(32, "big"),
            "signer": by_hand.address(KEYS[key]),
            "signature": by_hand.sign(KEYS[key], digest),
        }

    def message_of(type_name: str, values: list[Any]) -> dict[str, Any]:
        names = [part.split()[1] for part in TYPES[type_name].split("(")[1].rstrip(")").split(",")]
        return dict(zip(names, values, strict=True))

    update = message_of("update", updates[5])
    receipt = message_of("receipt", [ROUND, 5, hashes["UPDATE"][5]])
    attestation = message_of("attestation", [ROUND, seed, evidence_root, keccak(packed), merged_hash])
    request_body = '{"größe":1}'.encode()
    path = "/v1/rounds/7/evidence?access=scorers"
    request = message_of("request", ["GET", path, by_hand.sha256(request_body), salted("nonce"), 1_800_000_000])
    invitation = message_of("invitation", [by_hand.address(KEYS["owner"]), 1000, salted("invitation"), (1 << 40) - 1])

    return {
        "about": ABOUT,
        "domain": {
            "format": "EIP-712 domain separator, called `federation` everywhere: keccak256(abi.encode(type_hash, keccak256(name), "
            "keccak256(version), chain_id, ledger))",
            "type_hash": keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            "name": "fairshare",
            "version": "1",
            "chain_id": CHAIN_ID,
            "ledger": LEDGER,
            "separator": federation,
        },
        "typed_data": {
            "update": signed("update", "node 5", update),
            "receipt": signed("receipt", "aggregator", receipt),
            "attestation": signed("attestation", "scorer", attestation),
            "request": signed("request", "node 5", request),
            "invitation": signed("invitation", "operator", invitation),
        },
        "config": {
            "format": "SHA-256 of preimage: tag \"fairshare/config/1\", then of every value in the order of its dotted key: key, \"int\" or "
            "\"str\", value as text; each with its length in 4 bytes before it. Decimals are scaled to integers: recipe 10^9, "
            "money 10^18, norm_multiple and z 10^3",
            "toml": CONFIG,
            "preimage": by_hand.config_preimage(CONFIG_ROWS),
            "sha256": config_hash,
        },
        "model": {
            "format": "SHA-256 of preimage: tag \"fairshare/model/1\", then of every tensor in declared order: length of the name (4 bytes), "
            "name, \"F32\", number of dimensions (4 bytes), dimensions (8 bytes each), values little-endian; integers big-endian",
            "tensors": [_tensor(*tensor) for tensor in BASE],
            "preimage": by_hand.model_preimage(BASE),
            "sha256": base_hash,
        },
        "body": {
            "format": "the safetensors file of an update (trained minus base) and its SHA-256",
            "tensors": [_tensor(*tensor) for tensor in UPDATE],
            "file": bodies[5],
            "sha256": by_hand.sha256(bodies[5]),
        },
        "commitment": {
            "format": "SHA-256(\"fairshare/commitment/1\" \u2016 federation \u2016 round (8 bytes) \u2016 node (4 bytes) \u2016 salt \u2016 SHA-256(body)), "
            "integers big-endian: the field `parameters` of an Update",
            "federation": federation,
            "round": ROUND,
            "node": 5,
            "salt": salts[5],
            "body_hash": by_hand.sha256(bodies[5]),
            "commitment": commitments[5],
        },
        "inputs": {
            "format": "keccak256(abi.encode(uint32 protocol_version, uint64 parent, bytes32 config_hash, bytes32 task_hash, "
            "bytes32 base_model, bytes32 parent_evidence, bytes32 shards_hash, bytes32 root_set)); "
            "shards_hash = keccak256(abi.encode(bytes32[] shards))",
            "protocol_version": 1,
            "parent": PARENT,
            "config_hash": config_hash,
            "task_hash": bound[1],
            "base_model": base_hash,
            "parent_evidence": bound[3],
            "shards": shards,
            "shards_hash": shards_hash,
            "root_set": bound[5],
            "digest": inputs,
        },
        "seed": {
            "format": "keccak256(abi.encode(bytes32 federation, uint64 round, bytes32 update_root, bytes32 close_block_hash))",
            "federation": federation,
            "round": ROUND,
            "update_root": update_root,
            "close_block_hash": close_hash,
            "seed": seed,
        },
        "leaves": [
            {
                "format": "keccak256(0x00 \u2016 federation \u2016 abi.encode(uint256 kind, uint256 position, bytes payload)); "
                "payload = abi.encode(values)",
                "kind": number,
                "name": kind,
                "position": at,
                "values": _texts(leaves[kind][at]),
                "payload": content,
                "hash": hashes[kind][at],
            }
            for number, kind in enumerate(KIND_NAMES, start=1)
            for at, content in payloads[kind].items()
        ],
        "update_tree": {
            "format": "depth 13, position = node index, empty leaf 0, inner = keccak256(0x01 \u2016 left \u2016 right); siblings from the leaf up. "
            "payload = abi.encode(uint64 round, bytes32 inputs, uint32 node, bytes32 baseModel, bytes32 parameters, "
            "uint32 samples, bytes signature); the last proof is of an empty slot",
            "federation": federation,
            "kind": 3,
            "depth": 13,
            "root": update_root,
            "leaves": [
                {"position": at, "payload": payloads["UPDATE"][at], "hash": hashes["UPDATE"][at]} for at in NODES
            ],
            "proofs": [
                {
                    "position": at,
                    "leaf": hashes["UPDATE"].get(at, bytes(32)),
                    "siblings": by_hand.siblings(hashes["UPDATE"], 13, at),
                }
                for at in (*NODES, 8190)
            ],
        },
        "sum_tree": {
            "format": "score bases: depth 13, position = node index, empty leaf (0, sum 0), inner = keccak256(0x02 \u2016 left \u2016 sumLeft \u2016 right "
            "\u2016 sumRight) with sums of 32 bytes; the leaves are contribution leaves with their basis as sum",
            "federation": federation,
            "kind": 8,
            "depth": 13,
            "root": sum_root,
            "total": str(total),
            "leaves": [
                {"position": at, "payload": payloads["CONTRIBUTION"][at], "hash": hashes["CONTRIBUTION"][at], "sum": str(bases[at])}
                for at in NODES
            ],
            "proofs": [
                {
                    "position": at,
                    "leaf": leaf_hash,
                    "sum": str(leaf_sum),
                    "siblings": [hashed for hashed, _ in by_hand.sum_siblings(sum_leaves, 13, at)],
                    "sibling_sums": [str(below) for _, below in by_hand.sum_siblings(sum_leaves, 13, at)],
                }
                for at in (*NODES, 8190)
                for leaf_hash, leaf_sum in [sum_leaves.get(at, (bytes(32), 0))]
            ],
        },
        "evidence": {
            "format": "keccak256(abi.encode(uint32 version, bytes32 federation, uint64 round, bytes32 inputs, bytes32 seed, bytes32[11] roots, "
            "uint256 total_basis, int256 utility_empty, int256 utility_all, uint32 z_thousandths, uint256 denominator, "
            "bytes32 code_version)); roots in the order of the leaf kinds 1 to 11, kind 8 is the sum tree; trees of the kinds "
            "1, 7 and 11 have depth 20, all others 13",
            "version": 1,
            "federation": federation,
            "round": ROUND,
            "inputs": inputs,
            "seed": seed,
            "roots": roots,
            "total_basis": str(total),
            "utility_empty": str(utility_empty),
            "utility_all": str(utility_all),
            "z_thousandths": z,
            "denominator": str(denominator),
            "code_version": code_version,
            "root": evidence_root,
        },
        "score_basis": [
            {
                "format": "max(0, 1000 contribution - z_thousandths standard_error)",
                "contribution": str(contributions[node]),
                "standard_error": str(errors[node]),
                "z_thousandths": z,
                "basis": str(bases[node]),
            }
            for node in NODES
        ],
        "shares": [
            {
                "format": "largest remainder: floor(basis total / sum of bases) each, the units left over to the largest remainders, "
                "ties to the lower position; all zero if every basis is zero",
                "bases": [str(basis) for basis in case_bases],
                "total": case_total,
                "shares": case_shares,
            }
            for case_bases, case_total, case_shares in [*SHARE_CASES, ([bases.get(i, 0) for i in range(7)], 10_000_000, scores)]
        ],
        "scores": [
            {
                "format": "uint24 big-endian by node index; all zero is written as no bytes at all; hash = keccak256(packed)",
                "scores": case,
                "packed": content,
                "hash": keccak(content),
            }
            for case, content in [
                (scores, packed),
                ([10_000_000], bytes.fromhex("989680")),
                ([0, 9_999_999, 1], bytes.fromhex("00000098967f000001")),
                ([0, 0, 0], b""),
            ]
        ],
    }  # fmt: skip


def _apportioned(bases: list[int], total: int) -> list[int]:
    """Largest remainder with exact fractions instead of the integer division of `protocol.shares`."""
    quotas = [Fraction(basis * total, sum(bases)) for basis in bases]
    shares = [int(quota) for quota in quotas]
    by_claim = sorted(range(len(bases)), key=lambda i: (shares[i] - quotas[i], i))
    for i in by_claim[: total - sum(shares)]:
        shares[i] += 1
    return shares


def _tensor(name: str, shape: list[int], values: list[float]) -> dict[str, Any]:
    return {"name": name, "shape": shape, "data": struct.pack(f"<{len(values)}f", *values)}


def _texts(values: list[Any]) -> list[Any]:
    return [
        "0x" + value.hex() if isinstance(value, bytes) else _texts(value) if isinstance(value, list) else str(value)
        for value in values
    ]


def rendered() -> str:
    """The text of `protocol/vectors.json`."""
    return json.dumps(build(), indent=1, default=lambda value: "0x" + value.hex()) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(rendered())
