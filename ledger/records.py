"""What is read from the chain, as plain values: addresses checksummed, hashes as 32 bytes, times in unix seconds of the
chain's clock, money in wei or token base units (10^-18).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class RoundState(IntEnum):
    """Where a round stands, numbered as in `IRoundLedger.State`."""

    NONE = 0
    OPEN = 1
    CLOSED = 2
    PROPOSED = 3
    DISPUTED = 4
    FINAL = 5
    VOID = 6

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def decided(self) -> bool:
        """Whether nothing can change it any more; only then the next round opens."""
        return self in (RoundState.FINAL, RoundState.VOID)


class BlockRef(NamedTuple):
    """A mined block. The hash tells whether the chain was rolled back since."""

    number: int
    hash: bytes


class Closing(NamedTuple):
    """What a round was closed over, and the hash of the block that it was closed in: its seed is a hash of both."""

    update_root: bytes
    block_hash: bytes


class Timing(NamedTuple):
    """How long each state of a round waits, in seconds."""

    commit: int
    close: int
    reveal: int
    grace: int
    propose: int
    window: int
    vote: int


@dataclass(frozen=True)
class ChainRound:
    """A round as the RoundLedger keeps it, with the state that it is in now; what has not happened yet is zero.

    `ancestor` is the nearest round before it that was Final when it opened. `deadline` is when the state ends by time, zero if
    it does not. `commits` counts the nodes that committed on chain. `signers` has bit i set if the scorer with index i
    attested. Disputes can be filed before `window_end`. `released` says whether its reservation was given back.
    """

    round: int
    state: RoundState
    parent: int
    ancestor: int
    inputs: bytes
    update_root: bytes
    seed: bytes
    evidence_root: bytes
    model_hash: bytes
    opened_at: int
    deadline: int
    close_block: int
    commits: int
    closed_early: bool
    signers: int
    window_end: int
    open_disputes: int
    released: bool


class Opening(NamedTuple):
    """What was in force when a round opened, and what it was opened with, as `RoundOpened` tells: all as `BoundInputs` hashes
    them, with one hash for all shards.
    """

    config_hash: bytes
    task_hash: bytes
    base_model: bytes
    parent_evidence: bytes
    shards_hash: bytes
    root_set: bytes


class Terms(NamedTuple):
    """What the admin can change for rounds opened later: hashes as 32 bytes, addresses checksummed."""

    config_hash: bytes
    task_hash: bytes
    aggregator: str
    scorers: tuple[str, ...]


class Announcement(NamedTuple):
    """Terms that were announced, and the first second at which they can be enacted."""

    terms: Terms
    enactable_at: int


@dataclass(frozen=True)
class NodeRecord:
    """A participant as the NodeRegistry keeps it now.

    `signer` and `max_samples` hold from the next round on and are zero once it left; `unbonding_until` is when its stake
    can be withdrawn, zero if it is not leaving; `eligible` is for the next round. Who is `expelled` joins again with a new
    invitation only.
    """

    node: int
    owner: str
    signer: str
    payout: str
    stake: int
    max_samples: int
    unbonding_until: int
    eligible: bool
    expelled: bool


@dataclass(frozen=True)
class Call:
    """A transaction that is built but not signed: `data` to `to` with `value` wei. Without `to` it creates a contract.

    `what` says for people what it does, as the beginning of a sentence: "close round 3".
    """

    to: str | None
    data: bytes
    value: int
    what: str
