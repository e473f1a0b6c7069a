"""The round that the test vectors tell: nodes 0, 5 and 6 of one federation, from the config to the evidence root.

Everything is made by `tests.protocol.by_hand`. What lies outside the protocol (task source, data sets, block hashes) is
the hash of its own name.
"""

from fractions import Fraction
from typing import Any

from eth_utils.crypto import keccak

from tests.protocol import by_hand
from tests.protocol.by_hand import Tensors, sha256, word


def stand_in(name: str) -> bytes:
    """A hash that stands for something outside the protocol."""
    return sha256(name.encode())


def key(name: str) -> int:
    """The private key of somebody in the story."""
    return int.from_bytes(keccak(text=f"fairshare test key: {name}"), "big")


LEDGER, CHAIN_ID = "0x5FbDB2315678afecb367f032d93F642f64180aa3", 31337
FEDERATION = by_hand.domain_separator(CHAIN_ID, LEDGER)
ROUND, PARENT = 7, 5
NODES = (0, 5, 6)

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
grace_seconds = 15
propose_seconds = 120
window_seconds = 60
vote_seconds = 45
maximum_pending = 3
body_bytes = 16777216

[gate]
norm_multiple = "10"
virtual_nodes = 0
duplicate = "0.8"
prior = "2"
grey = "3"
forgetting = "0.85"
down_weight = "4"
reject_round = "4"
reject = "6"
expel = "30"
guard = "3"
quarantine_weight = "0.5"
weight_duplicate = "15"
weight_size = "0.2"
weight_cone = "0.5"
weight_affine = "0.5"
weight_fit = "0.3"
weight_replay = "0.3"
weight_utility = "0.3"
weight_own_classes = "0.4"
weight_energy = "0.5"

[contributions]
work = 10000000000000

[pay]
token_name = "Fairshare Digits"
token_symbol = "FSD"
cap = "1000000"
pool = "1000"
scorer_pool = "0.5"
z = "0.5"

[stake]
minimum = "0.01"
aggregator_bond = "0.1"
scorer_bond = "0.05"
dispute_bond = "0.02"
proof_fee = "0"
open_fee = "0.001"
open_samples = 500
unbonding_seconds = 3600

[tolerance]
statistics = 16
utility = 64
standard_error = 1024
contribution = 2048
"""

# Sorted by key; decimals scaled on paper: 9 places in the recipe, 18 for money, 3 for the gate and z.
CONFIG_ROWS: list[tuple[str, int | str]] = [
    ("contributions.work", 10_000_000_000_000),
    ("federation.name", "Größen"),
    ("federation.task", "Digits"),
    ("gate.down_weight", 4_000),
    ("gate.duplicate", 800),
    ("gate.expel", 30_000),
    ("gate.forgetting", 850),
    ("gate.grey", 3_000),
    ("gate.guard", 3_000),
    ("gate.norm_multiple", 10_000),
    ("gate.prior", 2_000),
    ("gate.quarantine_weight", 500),
    ("gate.reject", 6_000),
    ("gate.reject_round", 4_000),
    ("gate.virtual_nodes", 0),
    ("gate.weight_affine", 500),
    ("gate.weight_cone", 500),
    ("gate.weight_duplicate", 15_000),
    ("gate.weight_energy", 500),
    ("gate.weight_fit", 300),
    ("gate.weight_own_classes", 400),
    ("gate.weight_replay", 300),
    ("gate.weight_size", 200),
    ("gate.weight_utility", 300),
    ("pay.cap", 1_000_000_000_000_000_000_000_000),
    ("pay.pool", 1_000_000_000_000_000_000_000),
    ("pay.scorer_pool", 500_000_000_000_000_000),
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
    ("rounds.grace_seconds", 15),
    ("rounds.maximum_pending", 3),
    ("rounds.minimum_commits", 2),
    ("rounds.propose_seconds", 120),
    ("rounds.reveal_seconds", 60),
    ("rounds.vote_seconds", 45),
    ("rounds.window_seconds", 60),
    ("stake.aggregator_bond", 100_000_000_000_000_000),
    ("stake.dispute_bond", 20_000_000_000_000_000),
    ("stake.minimum", 10_000_000_000_000_000),
    ("stake.open_fee", 1_000_000_000_000_000),
    ("stake.open_samples", 500),
    ("stake.proof_fee", 0),
    ("stake.scorer_bond", 50_000_000_000_000_000),
    ("stake.unbonding_seconds", 3_600),
    ("tolerance.contribution", 2048),
    ("tolerance.standard_error", 1024),
    ("tolerance.statistics", 16),
    ("tolerance.utility", 64),
]
CONFIG_HASH = sha256(by_hand.config_preimage(CONFIG_ROWS))

# Declared in another order than the names': a matrix, a vector with a non-ASCII name, a scalar, an empty tensor.
BASE: Tensors = [
    ("weight", [2, 3], [1.0, -2.5, 0.0, -0.0, 3.0e-45, 0.1]),
    ("größe", [3], [0.25, 0.5, 0.75]),
    ("scale", [], [3.0]),
    ("empty", [0, 4], []),
]
MERGED: Tensors = [(name, shape, [value + 1 for value in values]) for name, shape, values in BASE]
BASE_HASH, MERGED_HASH = (sha256(by_hand.model_preimage(tensors)) for tensors in (BASE, MERGED))

SHARDS = [stand_in("evaluation shard 0"), stand_in("evaluation shard 1")]
SHARDS_HASH = keccak(word(32) + by_hand.words_tail(SHARDS))
TASK_HASH, PARENT_EVIDENCE, ROOT_SET = stand_in("task source"), stand_in("parent's evidence"), stand_in("root set")
INPUTS = keccak(
    word(1) + word(PARENT) + CONFIG_HASH + TASK_HASH + BASE_HASH + PARENT_EVIDENCE + SHARDS_HASH + ROOT_SET,
)

TYPES = {
    "update": "Update(uint64 round,bytes32 inputs,uint32 node,bytes32 baseModel,bytes32 parameters,uint32 samples)",
    "receipt": "Receipt(uint64 round,uint32 node,bytes32 leaf)",
    "attestation": "Attestation(uint64 round,bytes32 seed,bytes32 evidenceRoot,bytes32 scoresHash,bytes32 modelHash)",
    "request": "Request(string method,string path,bytes32 bodyHash,bytes32 nonce,uint40 deadline)",
    "invitation": "Invitation(address owner,uint32 maxSamples,bytes32 nonce,uint40 deadline)",
    "expulsion": "Expulsion(uint64 round,uint32 node)",
}


def update_of(node: int) -> Tensors:
    """What a node trained: the same ramp for all, times its index plus one."""
    return [(name, shape, [(node + 1) * (0.5 + i) for i in range(len(values))]) for name, shape, values in BASE]


def salt_of(node: int) -> bytes:
    """A node's salt."""
    return stand_in(f"salt of node {node}")


def commitment_of(node: int) -> bytes:
    """The field `parameters` of a node's Update."""
    opened = ROUND.to_bytes(8, "big") + node.to_bytes(4, "big") + salt_of(node) + sha256(by_hand.safetensors(update_of(node)))
    return sha256(b"fairshare/commitment/1" + FEDERATION + opened)


def signed_update(node: int) -> list[Any]:
    """The values of a node's Update, then its signature."""
    values = [ROUND, INPUTS, node, BASE_HASH, commitment_of(node), 100 + node]
    digest = by_hand.signing_digest(FEDERATION, by_hand.struct_hash(TYPES["update"], values))
    return [*values, by_hand.sign(key(f"node {node}"), digest)]


def receipt_for(node: int) -> bytes:
    """The aggregator's signature that it holds a node's Update."""
    leaf = by_hand.leaf(FEDERATION, 3, node, by_hand.payload("UPDATE", signed_update(node)))
    digest = by_hand.signing_digest(FEDERATION, by_hand.struct_hash(TYPES["receipt"], [ROUND, node, leaf]))
    return by_hand.sign(key("aggregator"), digest)


def apportioned(bases: list[int], total: int) -> list[int]:
    """Largest remainder by exact fractions."""
    quotas = [Fraction(basis * total, sum(bases)) for basis in bases]
    shares = [int(quota) for quota in quotas]
    for i in sorted(range(len(bases)), key=lambda i: (shares[i] - quotas[i], i))[: total - sum(shares)]:
        shares[i] += 1
    return shares


CONTRIBUTIONS = {0: 3 << 60, 5: -(1 << 58), 6: (1 << 60) + 1}
SAMPLING_ERRORS, ESTIMATION_ERRORS = {0: 3 << 40, 5: 9, 6: 2}, {0: 4 << 40, 5: 0, 6: 1}
STANDARD_ERRORS = {0: 5 << 40, 5: 9, 6: 2}  # the square root of the squares' sum, rounded down
Z_THOUSANDTHS = 500
BASES = {node: max(0, 1000 * CONTRIBUTIONS[node] - Z_THOUSANDTHS * STANDARD_ERRORS[node]) for node in NODES}
SCORES = apportioned([BASES.get(index, 0) for index in range(7)], 10_000_000)
PACKED = b"".join(score.to_bytes(3, "big") for score in SCORES)

LEAVES: dict[str, dict[int, list[Any]]] = {
    "INPUT": {
        0: [CONFIG_HASH],
        1: [TASK_HASH],
        2: [BASE_HASH],
        3: [PARENT_EVIDENCE],
        4: [ROOT_SET],
        5: [stand_in("parent's reputation")],
        16: [SHARDS[0]],
        17: [SHARDS[1]],
    },
    "ROSTER": {node: [by_hand.address(key(f"node {node}")), 1000] for node in NODES},
    "UPDATE": {node: signed_update(node) for node in NODES},
    "BODY": {
        node: [sha256(by_hand.safetensors(update_of(node))), salt_of(node), sha256(by_hand.model_preimage(update_of(node)))]
        for node in NODES
    },
    "STATISTICS": {0: [[1 << 20, -1]], 5: [[]], 6: [[12345]]},
    "VERDICT": {0: [1, 1, 65536], 5: [1, 1, 65536], 6: [2, 2, 40000]},
    "UTILITY": {0: [b"", 0, 0], 1: [b"\x01", 0, 123456], 2: [b"\x61", 1, -5]},
    "CONTRIBUTION": {
        node: [
            node,
            CONTRIBUTIONS[node],
            STANDARD_ERRORS[node],
            SAMPLING_ERRORS[node],
            ESTIMATION_ERRORS[node],
            BASES[node],
        ]
        for node in NODES
    },
    "SCORE": {node: [SCORES[node]] for node in NODES},
    "REPUTATION": {0: [0], 5: [-3], 6: [1 << 40]},
    "MODEL": {0: [MERGED_HASH]},
    "ESTIMATE": {0: [2, 2, 2, 46, 1 << 70, 3, [7, 5, 6]], 1: [2, 3, 1, 4096, 0, 0, []]},
    "RECEIPT": {0: [receipt_for(0)], 5: [receipt_for(5)]},  # node 6 committed by the chain
}
KIND_NUMBERS = {kind: number for number, kind in enumerate(LEAVES, start=1)}
DEPTHS = {kind: 20 if kind in {"INPUT", "UTILITY", "MODEL", "ESTIMATE"} else 13 for kind in LEAVES}
PAYLOADS = {kind: {at: by_hand.payload(kind, values) for at, values in found.items()} for kind, found in LEAVES.items()}
HASHES = {
    kind: {at: by_hand.leaf(FEDERATION, KIND_NUMBERS[kind], at, content) for at, content in found.items()}
    for kind, found in PAYLOADS.items()
}

SUM_LEAVES = {node: (HASHES["CONTRIBUTION"][node], BASES[node]) for node in NODES}
SUM_ROOT, TOTAL_BASIS = by_hand.sum_subtree(SUM_LEAVES, 13)
ROOTS = [SUM_ROOT if kind == "CONTRIBUTION" else by_hand.subtree(HASHES[kind], DEPTHS[kind]) for kind in LEAVES]
UPDATE_ROOT = ROOTS[list(LEAVES).index("UPDATE")]

CLOSE_BLOCK_HASH = stand_in("the close block")
SEED = keccak(FEDERATION + word(ROUND) + UPDATE_ROOT + CLOSE_BLOCK_HASH)

TOLERANCES = [16, 64, 1024, 2048, 128]
UTILITY_EMPTY, UTILITY_ALL, DENOMINATOR, CODE_VERSION = -(1 << 70), 1 << 71, 6, stand_in("code version")
EVIDENCE_ROOT = keccak(
    word(2)
    + FEDERATION
    + word(ROUND)
    + INPUTS
    + SEED
    + b"".join(ROOTS)
    + word(TOTAL_BASIS)
    + word(UTILITY_EMPTY)
    + word(UTILITY_ALL)
    + word(Z_THOUSANDTHS)
    + word(DENOMINATOR)
    + b"".join(map(word, TOLERANCES))
    + CODE_VERSION
)

# Every message: who signs it, and the values of its fields in order.
MESSAGES: dict[str, tuple[str, list[Any]]] = {
    "update": ("node 5", signed_update(5)[:-1]),
    "receipt": ("aggregator", [ROUND, 5, HASHES["UPDATE"][5]]),
    "attestation": ("scorer", [ROUND, SEED, EVIDENCE_ROOT, keccak(PACKED), MERGED_HASH]),
    "request": (
        "node 5",
        ["GET", "/v1/rounds/7/evidence?name=Größe", sha256(b""), stand_in("nonce"), 1_800_000_000],
    ),
    "invitation": ("operator", [by_hand.address(key("owner")), 1000, stand_in("invitation"), (1 << 40) - 1]),
    "expulsion": ("scorer", [ROUND, 5]),
}
