"""The REST resources under /v1, as the service answers them and the client reads them.

Integers that may pass 2^53 are decimal strings; bytes are 0x-hex; times are unix seconds. Every figure that can change
carries the chain block that it was read at.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from protocol.json_types import Address, BigInt, Hash, HexBytes


class Resource(BaseModel):
    """Base of all resources."""

    model_config = ConfigDict(frozen=True)


class Problem(Resource):
    """An error, RFC 9457. `type` ends in the machine-readable code; `title` and `next_step` are what the catalogue says of it."""

    type: str
    title: str
    status: int
    detail: str
    next_step: str = ""


class TermsView(Resource):
    """Terms that were announced: anyone can enact them from `enactable_at` on, for the rounds that open then."""

    config_hash: HexBytes
    task_hash: HexBytes
    aggregator: str
    scorers: list[str]
    enactable_at: int


class FederationView(Resource):
    """What a federation is; `config_hash` and `task_hash`, in force, must equal the ledger's before anything is believed.

    `scorer_urls` are as the aggregator has them: whoever fears it asks the scorers themselves.
    """

    name: str
    chain_id: int
    ledger: str
    registry: str
    token: str
    token_symbol: str
    pool: BigInt
    config_hash: HexBytes
    task_hash: HexBytes
    announced: TermsView | None = None
    last_round: int
    latest_final: int
    node_count: int
    scorer_urls: list[str] = []
    block: int


class ConfigView(Resource):
    """The text of `federation.toml`, to be parsed and hashed by the reader."""

    toml: str


class TaskView(Resource):
    """The task's source: class name and every file's text by relative path, to be hashed by the reader before it is run."""

    entry: str
    files: dict[str, str]


class RoundView(Resource):
    """One round. Deadlines are unix seconds of the chain's clock; None where the round has not come so far.

    `reason` is why it is, or will be, Void: a code of `protocol.catalogue.VOIDS`, told in `sentence` and `next_step`.
    """

    round: int
    state: str
    parent: int
    inputs: HexBytes
    base_model: HexBytes
    parent_evidence: HexBytes
    shards: list[HexBytes]
    root_set: HexBytes
    opened_at: int
    commit_deadline: int
    reveal_deadline: int | None = None
    final_at: int | None = None
    update_root: HexBytes | None = None
    seed: HexBytes | None = None
    evidence_root: HexBytes | None = None
    model: HexBytes | None = None
    commits: int
    bodies: int
    accuracy: float | None = None
    base_accuracy: float | None = None
    gas: BigInt
    minted: BigInt
    reason: str | None = None
    sentence: str = ""
    next_step: str = ""
    block: int


class NodeScore(Resource):
    """What one node did in one round and what it earned.

    `contribution` and the errors are numerators over the round's `denominator`, in units of 2^-20 of one sample's score:
    `sampling_error` comes from the choice of the evaluation samples, `estimation_error` from not having evaluated all coalitions,
    `standard_error` is both together. `reward` is in base units of the token.
    """

    node: int
    address: str
    samples: int
    verdict: str
    reason: str
    sentence: str
    next_step: str
    weight: int
    contribution: BigInt
    standard_error: BigInt
    sampling_error: BigInt
    estimation_error: BigInt
    score: int
    reward: BigInt


class ScoresView(Resource):
    """All nodes of one round, by index."""

    round: int
    state: str
    denominator: BigInt
    utility_empty: BigInt
    utility_all: BigInt
    evaluation_samples: int
    nodes: list[NodeScore]
    block: int


class NodeView(Resource):
    """A participant as the registry knows it. `address` is the owner's."""

    node: int
    address: str
    signer: str
    payout: str
    stake: BigInt
    max_samples: int
    unbonding_until: int
    eligible: bool
    expelled: bool
    block: int


class RewardsView(Resource):
    """What a node earned, in base units. `pending` becomes claimable at `pending_until` unless its round becomes Void.

    `slashed` is what proofs of its faults took from its stake, in wei.
    """

    node: int
    address: str
    earned: BigInt
    pending: BigInt
    pending_until: int | None
    claimable: BigInt
    claimable_rounds: list[int]
    claimed: BigInt
    slashed: BigInt
    last_round: int
    block: int


class RoundContribution(Resource):
    """What a node contributed to one round, and the errors of that (see `NodeScore`), as shares of a perfect score.

    All zero for a node that did not take part, or is in no coalition. The exact integers are in the round's scores.
    """

    round: int
    state: str
    took_part: bool
    contribution: float
    standard_error: float
    sampling_error: float
    estimation_error: float


class ContributionsView(Resource):
    """What a node contributed to all rounds with an outcome, newest first, and in total to the Final ones.

    The figures are sums of shares of a perfect score. Rounds are evaluated on the same samples, so the total's `sampling_error`
    is the sum of theirs, an upper bound; its `estimation_error` is the root of the sum of squares.
    """

    node: int
    address: str
    contribution: float
    standard_error: float
    sampling_error: float
    estimation_error: float
    rounds: list[RoundContribution]
    block: int


class EventView(Resource):
    """An event of the federation's contracts, `position` its log's number in the block.

    `arguments` by their names in the ABI: addresses checksummed, bytes 0x-hex, amounts and other integers of more than 64 bits
    decimal strings, structs objects.
    """

    block: int
    position: int
    block_hash: Hash
    transaction: Hash
    contract: Address
    name: str
    arguments: dict[str, Any]


class EventsView(Resource):
    """Events in the order of the chain, of blocks up to `block`. Given as `after`, `next` asks for those that follow."""

    events: list[EventView]
    next: str
    block: int


class CommitRequest(Resource):
    """An Update as it was signed."""

    inputs: HexBytes
    node: int
    base_model: HexBytes
    parameters: HexBytes
    samples: int
    signature: HexBytes


class DoubleUpdateView(Resource):
    """Two different Updates that one node signed for one round: what `proveDoubleUpdate` takes."""

    round: int
    node: int
    first: CommitRequest
    second: CommitRequest


class ReceiptView(Resource):
    """The aggregator's receipt: check `leaf` and the signer before relying on it."""

    round: int
    node: int
    leaf: HexBytes
    signature: HexBytes


class ScorerSignature(Resource):
    """A scorer's signature: under a round's claimed outcome, or under the expulsion of a node."""

    signature: HexBytes


class AttestationsView(Resource):
    """A round's claimed outcome and the scorers' signatures under it, ascending by signer: all that `propose` takes.

    `scores` are packed as on chain; empty if the round pays nobody.
    """

    round: int
    seed: Hash
    evidence_root: Hash
    scores: HexBytes
    model: Hash
    signatures: list[HexBytes]


class ExpulsionView(Resource):
    """The scorers' signatures under the expulsion of a node for a Final round, ascending by signer, as `expel` takes them.

    `needed` of them expel it; whether that has happened is told by the node's `expelled`.
    """

    round: int
    node: int
    signatures: list[HexBytes]
    needed: int


class UploadView(Resource):
    """What the aggregator holds of a node's update in a round."""

    round: int
    node: int
    committed: bool
    revealed: bool


class Health(Resource):
    """The service is up. `block` is the last chain block it saw."""

    status: str
    version: str
    block: int
