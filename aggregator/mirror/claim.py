"""The outcome that a round is claimed to have, which scorers confirm or do not."""

from dataclasses import dataclass

from protocol.shares import scores_hash
from protocol.typed_data import Attestation


@dataclass(frozen=True)
class Claim:
    """A closed round's seed, and the outcome that the evidence with this root gives it; `scores` are packed as on chain."""

    round: int
    seed: bytes
    evidence_root: bytes
    scores: bytes
    model_hash: bytes

    @property
    def attestation(self) -> Attestation:
        """The typed data that a scorer signs if it agrees."""
        return Attestation(self.round, self.seed, self.evidence_root, scores_hash(self.scores), self.model_hash)
