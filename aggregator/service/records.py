"""What the store gives out: frozen copies of its rows, which stay as they are when the database moves on."""

from dataclasses import dataclass
from typing import NamedTuple

from aggregator.service.phases import Phase
from protocol.inputs import BoundInputs
from protocol.typed_data import Update


@dataclass(frozen=True)
class RoundRecord:
    """One round. Times are unix seconds of the chain's clock; None where the round has not come so far.

    `scores` are packed as on chain, `accuracy` and `base_accuracy` are for reports only. `reason` says why a round became, or
    will become, void. `settled` is False until the reservation of a round that pays nobody was given back.
    """

    number: int
    phase: Phase
    bound: BoundInputs
    inputs: bytes
    opened_at: int | None
    commit_deadline: int | None
    update_root: bytes | None
    close_block: int | None
    reveal_deadline: int | None
    seed: bytes | None
    evidence_root: bytes | None
    model_hash: bytes | None
    scores: bytes | None
    accuracy: float | None
    base_accuracy: float | None
    evaluation_samples: int | None
    final_at: int | None
    reason: str | None
    settled: bool


@dataclass(frozen=True)
class UpdateRecord:
    """A commitment, and the body that opens it once that has come. `receipt` is empty where it came by the chain."""

    update: Update
    signature: bytes
    leaf: bytes
    receipt: bytes
    salt: bytes | None = None
    body_hash: bytes | None = None

    @property
    def revealed(self) -> bool:
        """Whether the body is here."""
        return self.body_hash is not None


class AttestationRecord(NamedTuple):
    """A scorer's signature under the outcome that a round is claimed to have."""

    signer: str
    signature: bytes


class Counts(NamedTuple):
    """How many nodes of a round have committed, and how many of these have sent their body."""

    commits: int
    bodies: int
