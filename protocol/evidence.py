"""The evidence of a round: a fixed header over trees of typed leaves, one versioned table of leaf kinds.

Leaves are *exact* (replay to the bit), *toleranced* (come from float arithmetic that differs between machines; a verifier
accepts its own value within the config's tolerance) or *derived* (computed by integer rules from published leaves).
Nothing that is hashed is JSON or float; for the bundle's JSON form, which is transport only, see `protocol.evidence_json`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from protocol.abi import encode_fields
from protocol.errors import EvidenceError
from protocol.trees import (
    LIST_TREE_DEPTH,
    NODE_TREE_DEPTH,
    SumNode,
    Tree,
    leaf_hash,
    sum_tree_of,
    sum_tree_root,
    tree_of,
    tree_root,
)
from protocol.typed_data import Update

EVIDENCE_VERSION = 2


class LeafClass(Enum):
    """How a verifier checks a leaf, see the module docstring."""

    EXACT = "exact"
    TOLERANCED = "toleranced"
    DERIVED = "derived"


class Access(IntEnum):
    """Who may see a leaf; each level sees what the levels below it see."""

    ANYONE = 0
    MEMBERS = 1
    SCORERS = 2


class Kind(IntEnum):
    """Leaf kinds. Each kind is one tree; its number is hashed into every leaf, so it is never reused."""

    INPUT = 1
    ROSTER = 2
    UPDATE = 3
    BODY = 4
    STATISTICS = 5
    VERDICT = 6
    UTILITY = 7
    CONTRIBUTION = 8
    SCORE = 9
    REPUTATION = 10
    MODEL = 11
    ESTIMATE = 12
    RECEIPT = 13


class KindSpec(NamedTuple):
    """One row of the table: ABI type and name of every payload field, and the tree that holds the leaves."""

    leaf_class: LeafClass
    access: Access
    depth: int
    fields: tuple[tuple[str, str], ...]


_E, _T, _D = LeafClass.EXACT, LeafClass.TOLERANCED, LeafClass.DERIVED

LEAF_KINDS: dict[Kind, KindSpec] = {
    # position: see Input below; the preimages of the header's `inputs`
    Kind.INPUT: KindSpec(_E, Access.ANYONE, LIST_TREE_DEPTH, (("bytes32", "hash"),)),
    # position: node index, here and below unless said otherwise
    Kind.ROSTER: KindSpec(_D, Access.ANYONE, NODE_TREE_DEPTH, (("address", "signer"), ("uint32", "max_samples"))),
    Kind.UPDATE: KindSpec(
        _E,
        Access.ANYONE,
        NODE_TREE_DEPTH,
        (
            ("uint64", "round"),
            ("bytes32", "inputs"),
            ("uint32", "node"),
            ("bytes32", "base_model"),
            ("bytes32", "parameters"),
            ("uint32", "samples"),
            ("bytes", "signature"),
        ),
    ),
    # the revealed body: SHA-256 of the file, salt that opens the commitment, model hash of the decoded update (zero if none)
    Kind.BODY: KindSpec(
        _E, Access.SCORERS, NODE_TREE_DEPTH, (("bytes32", "body_hash"), ("bytes32", "salt"), ("bytes32", "fingerprint"))
    ),
    # gate statistics in the order of aggregator.evaluation.gate.statistics
    Kind.STATISTICS: KindSpec(_T, Access.MEMBERS, NODE_TREE_DEPTH, (("int256[]", "values"),)),
    # weight: d_i in units of 2^-16, zero if not accepted
    Kind.VERDICT: KindSpec(
        _D, Access.ANYONE, NODE_TREE_DEPTH, (("uint8", "verdict"), ("uint16", "reason"), ("uint32", "weight"))
    ),
    # position: order of evaluation; coalition: bit i of byte i // 8 (least significant first) is node index i
    Kind.UTILITY: KindSpec(
        _T, Access.MEMBERS, LIST_TREE_DEPTH, (("bytes", "coalition"), ("uint32", "shard"), ("int256", "utility"))
    ),
    # the sum tree of score bases. The two parts of the standard error are toleranced: from the choice of evaluation samples, and
    # from not having evaluated all coalitions. The contribution is derived from the utilities where all were evaluated, and
    # toleranced where it was solved for, which are the rounds with a denominator of 2^20. The rest is derived:
    # standard_error = isqrt(sampling_error^2 + estimation_error^2), and the basis from contribution and standard_error.
    Kind.CONTRIBUTION: KindSpec(
        _D,
        Access.ANYONE,
        NODE_TREE_DEPTH,
        (
            ("uint32", "node"),
            ("int128", "contribution"),
            ("uint128", "standard_error"),
            ("uint128", "sampling_error"),
            ("uint128", "estimation_error"),
            ("uint256", "basis"),
        ),
    ),
    Kind.SCORE: KindSpec(_D, Access.ANYONE, NODE_TREE_DEPTH, (("uint24", "score"),)),
    Kind.REPUTATION: KindSpec(_D, Access.MEMBERS, NODE_TREE_DEPTH, (("int64", "reputation"),)),
    # position 0: model hash of the merged model, which the next round starts from
    Kind.MODEL: KindSpec(_E, Access.ANYONE, LIST_TREE_DEPTH, (("bytes32", "hash"),)),
    # position: stage of the estimation of contributions, the last one was used. Numbers of evaluator, estimator and outcome as in
    # aggregator.evaluation.contributions.estimate; residual, spread and misses (one per length scale) are toleranced, and say by
    # integer rules which length scale was used, and whether the stage passed; the rest is derived
    Kind.ESTIMATE: KindSpec(
        _T,
        Access.MEMBERS,
        LIST_TREE_DEPTH,
        (
            ("uint8", "evaluator"),
            ("uint8", "estimator"),
            ("uint8", "outcome"),
            ("uint32", "evaluations"),
            ("uint256", "residual"),
            ("uint256", "spread"),
            ("uint256[]", "misses"),
        ),
    ),
    # the aggregator's signature of the Receipt for the node's UPDATE leaf; none where the commitment came by the chain
    Kind.RECEIPT: KindSpec(_E, Access.ANYONE, NODE_TREE_DEPTH, (("bytes", "signature"),)),
}


class Input(IntEnum):
    """Positions in the tree of inputs; evaluation shard k stands at `FIRST_SHARD + k`.

    `REPUTATION` is the root of the parent's REPUTATION leaves, which is what the round's nodes come in with; zero after genesis.
    """

    CONFIG = 0
    TASK_SOURCE = 1
    BASE_MODEL = 2
    PARENT_EVIDENCE = 3
    ROOT_SET = 4
    REPUTATION = 5
    FIRST_SHARD = 16


class Leaf(NamedTuple):
    """One leaf: its kind, its position, and the payload fields in the order of the table."""

    kind: Kind
    position: int
    values: tuple[Any, ...]

    def payload(self) -> bytes:
        """abi.encode of the payload fields; raises `FormatError` naming the field that does not have its type."""
        return encode_fields(LEAF_KINDS[self.kind].fields, self.values)

    def hash(self, federation: bytes) -> bytes:
        """The leaf's hash in the tree of its kind."""
        return leaf_hash(federation, self.kind, self.position, self.payload())

    def get(self, name: str) -> Any:
        """The payload field called `name`."""
        return self.values[[field_name for _, field_name in LEAF_KINDS[self.kind].fields].index(name)]


def update_leaf(update: Update, signature: bytes) -> Leaf:
    """The leaf that stands for a commitment in the update tree, and that a Receipt promises."""
    values = (update.round, update.inputs, update.node, update.base_model, update.parameters, update.samples, signature)
    return Leaf(Kind.UPDATE, update.node, values)


@dataclass(frozen=True)
class Header:
    """What the evidence root hashes, in this order. Roots are in the order of `Kind`.

    `tolerances` are the config's, for statistics, utilities, standard errors and contributions, and what the gain
    U(N) − U(∅) may be off by (`protocol.shares.gain_tolerance`): nobody is paid for one that is not above it.
    """

    federation: bytes
    round: int
    inputs: bytes
    seed: bytes
    roots: tuple[bytes, ...]
    total_basis: int
    utility_empty: int
    utility_all: int
    z_thousandths: int
    denominator: int
    tolerances: tuple[int, ...]
    code_version: bytes
    version: int = field(default=EVIDENCE_VERSION)

    def root(self) -> bytes:
        """The evidence root: keccak256 of the abi.encode of all fields, version first."""
        return keccak(encode_fields(HEADER_FIELDS, header_fields(self)))


HEADER_FIELDS = (
    ("uint32", "version"),
    ("bytes32", "federation"),
    ("uint64", "round"),
    ("bytes32", "inputs"),
    ("bytes32", "seed"),
    (f"bytes32[{len(Kind)}]", "roots"),
    ("uint256", "total_basis"),
    ("int256", "utility_empty"),
    ("int256", "utility_all"),
    ("uint32", "z_thousandths"),
    ("uint256", "denominator"),
    ("uint64[5]", "tolerances"),
    ("bytes32", "code_version"),
)


def header_fields(header: Header) -> tuple[Any, ...]:
    """The header's values in the order that is hashed, which is also how the chain takes it."""
    return tuple(getattr(header, name) for _, name in HEADER_FIELDS)


@dataclass(frozen=True)
class Evidence:
    """A round's header and leaves. `visible_to` gives the part that an access level may see; the header always stays whole."""

    header: Header
    leaves: tuple[Leaf, ...]

    @cached_property
    def by_kind(self) -> dict[Kind, dict[int, Leaf]]:
        """Leaves by kind and position."""
        found: dict[Kind, dict[int, Leaf]] = {kind: {} for kind in Kind}
        for leaf in self.leaves:
            found[leaf.kind][leaf.position] = leaf
        return found

    def tree(self, kind: Kind) -> Tree[Any]:
        """The tree of a kind's leaves, of `SumNode`s for Kind.CONTRIBUTION and else of hashes; hashed once and kept. Needs all
        leaves of the kind.
        """
        if kind not in self._trees:
            leaves = self.by_kind[kind]
            hashes = {at: leaf.hash(self.header.federation) for at, leaf in leaves.items()}
            if kind is Kind.CONTRIBUTION:
                self._trees[kind] = sum_tree_of({at: SumNode(hashes[at], leaf.get("basis")) for at, leaf in leaves.items()})
            else:
                self._trees[kind] = tree_of(hashes, LEAF_KINDS[kind].depth)
        return self._trees[kind]

    @cached_property
    def _trees(self) -> dict[Kind, Tree[Any]]:
        return {}

    def visible_to(self, access: Access) -> "Evidence":
        """The same evidence without the leaves above the given access level."""
        return Evidence(self.header, tuple(leaf for leaf in self.leaves if LEAF_KINDS[leaf.kind].access <= access))

    def check_roots(self) -> None:
        """Raise `EvidenceError` naming the first tree that is not what the header promises. Needs all leaves."""
        roots, total = subtree_roots(self.header.federation, self.leaves)
        for kind, found, promised in zip(Kind, roots, self.header.roots, strict=True):
            if found != promised:
                raise EvidenceError(f"the {kind.name} leaves hash to {found.hex()}, the header promises {promised.hex()}")
        if total != self.header.total_basis:
            raise EvidenceError(f"the score bases sum to {total}, the header promises {self.header.total_basis}")


def subtree_roots(federation: bytes, leaves: Iterable[Leaf]) -> tuple[tuple[bytes, ...], int]:
    """The root of every kind's tree in the order of `Kind`, and the sum of all score bases.

    Raises `EvidenceError` if two leaves claim one position, or the bases sum past 2^256.
    """
    hashes: dict[Kind, dict[int, bytes]] = defaultdict(dict)
    bases: dict[int, int] = {}
    for leaf in leaves:
        if leaf.position in hashes[leaf.kind]:
            raise EvidenceError(f"two {leaf.kind.name} leaves at position {leaf.position}")
        hashes[leaf.kind][leaf.position] = leaf.hash(federation)
        if leaf.kind is Kind.CONTRIBUTION:
            bases[leaf.position] = leaf.get("basis")
    sums = {index: SumNode(hashes[Kind.CONTRIBUTION][index], basis) for index, basis in bases.items()}
    if sum(bases.values()) >= 1 << 256:
        raise EvidenceError(f"the score bases of the CONTRIBUTION leaves sum to {sum(bases.values())}, past 2^256")
    sum_root = sum_tree_root(sums)
    roots = tuple(
        sum_root.hash if kind is Kind.CONTRIBUTION else tree_root(hashes[kind], LEAF_KINDS[kind].depth) for kind in Kind
    )
    return roots, sum_root.sum
