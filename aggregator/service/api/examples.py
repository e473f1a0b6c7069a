"""The examples in the OpenAPI document: one small federation in its first round. Written as resources, so they stay valid."""

from protocol.api import (
    CommitRequest,
    ConfigView,
    ContributionsView,
    EventsView,
    EventView,
    FederationView,
    Health,
    NodeScore,
    NodeView,
    ReceiptView,
    RewardsView,
    RoundContribution,
    RoundView,
    ScoresView,
    TaskView,
    UploadView,
)

_TOKENS = 10**18
_OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
_LEDGER = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"


def _hash(byte: int) -> bytes:
    return bytes([byte]) * 32


HEALTH = Health(status="ok", version="0.1.0", block=41)

FEDERATION = FederationView(
    name="digits federation",
    chain_id=31337,
    ledger=_LEDGER,
    registry="0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512",
    token="0x5FbDB2315678afecb367f032d93F642f64180aa3",  # noqa: S106 since it is a contract's address
    token_symbol="FAIR",  # noqa: S106 since it is a contract's symbol
    pool=1000 * _TOKENS,
    config_hash=_hash(0xC0),
    task_hash=_hash(0x7A),
    last_round=1,
    latest_final=1,
    node_count=2,
    scorer_urls=["https://scorer.example:8710"],
    block=41,
)

CONFIG = ConfigView(toml='[federation]\nname = "digits federation"\n…')

TASK = TaskView(entry="Digits", files={"__init__.py": "class Digits(Task): …"})

ROUND = RoundView(
    round=1,
    state="final",
    parent=0,
    inputs=_hash(0x11),
    base_model=_hash(0xB0),
    parent_evidence=bytes(32),
    shards=[_hash(0x5A)],
    root_set=_hash(0x40),
    opened_at=1_800_000_000,
    commit_deadline=1_800_000_600,
    reveal_deadline=1_800_000_360,
    final_at=1_800_000_190,
    update_root=_hash(0x33),
    seed=_hash(0x5E),
    evidence_root=_hash(0xEF),
    model=_hash(0xB1),
    commits=2,
    bodies=2,
    accuracy=0.861,
    base_accuracy=0.094,
    gas=612_345,
    minted=1000 * _TOKENS,
    reason=None,
    block=41,
)

SCORES = ScoresView(
    round=1,
    state="final",
    denominator=2,
    utility_empty=37_748_736,
    utility_all=301_989_888,
    evaluation_samples=360,
    nodes=[
        NodeScore(
            node=0,
            address=_OWNER,
            samples=168,
            verdict="accept",
            reason="ok",
            sentence="The update was used as it was sent.",
            next_step="",
            weight=65_536,
            contribution=528_482_304,
            standard_error=1_203_377,
            sampling_error=1_203_377,
            estimation_error=0,
            score=10_000_000,
            reward=1000 * _TOKENS,
        ),
    ],
    block=41,
)

NODE = NodeView(
    node=0,
    address=_OWNER,
    signer="0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    payout=_OWNER,
    stake=_TOKENS // 100,
    max_samples=1000,
    unbonding_until=0,
    eligible=True,
    expelled=False,
    block=41,
)

REWARDS = RewardsView(
    node=0,
    address=_OWNER,
    earned=1000 * _TOKENS,
    pending=0,
    pending_until=None,
    claimable=1000 * _TOKENS,
    claimable_rounds=[1],
    claimed=0,
    slashed=0,
    last_round=1,
    block=41,
)

EVENTS = EventsView(
    events=[
        EventView(
            block=40,
            position=1,
            block_hash=_hash(0xB1),
            transaction=_hash(0x7E),
            contract=_LEDGER,
            name="RewardsClaimed",
            arguments={"node": 0, "payout": _OWNER, "rounds": [1], "amount": str(1000 * _TOKENS)},
        )
    ],
    next="40-1",
    block=41,
)

CONTRIBUTIONS = ContributionsView(
    node=0,
    address=_OWNER,
    contribution=0.7,
    standard_error=0.0016,
    sampling_error=0.0016,
    estimation_error=0.0,
    rounds=[
        RoundContribution(
            round=1,
            state="final",
            took_part=True,
            contribution=0.7,
            standard_error=0.0016,
            sampling_error=0.0016,
            estimation_error=0.0,
        )
    ],
    block=41,
)

COMMIT = CommitRequest(
    inputs=_hash(0x11), node=0, base_model=_hash(0xB0), parameters=_hash(0x9A), samples=168, signature=bytes([0x51]) * 65
)

RECEIPT = ReceiptView(round=1, node=0, leaf=_hash(0x1E), signature=bytes([0xA1]) * 65)

UPLOAD = UploadView(round=1, node=0, committed=True, revealed=True)
