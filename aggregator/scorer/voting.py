"""A scorer's part in disputes: recompute the leaf, seal it, reveal it, decide. Unattended, and safe to be killed anywhere.

What was sealed is on the disk before it is sent: without its salt a vote could never be revealed.
"""

import secrets
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from aggregator.assembly import assemble, read_bundle
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.recompute import recomputed
from aggregator.scorer.references import references_from
from aggregator.scorer.verify import intact
from ledger.disputes import Dispute, Disputes, DisputeVerdict, Vote
from protocol.api import Hash, HexBytes
from protocol.files import write_durably

log = structlog.get_logger()


class SealedVote(BaseModel):
    """`votes/<dispute>.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payload: HexBytes
    recomputed: HexBytes
    salt: Hash


class Voting:
    """Votes with the key of a scorer's directory."""

    def __init__(self, gathering: Gathering) -> None:
        assert gathering.account is not None, "voting needs the scorer's key"
        self._gathering = gathering
        self._scorer = gathering.account.address
        self._disputes = Disputes(gathering.ledger)
        self._directory = gathering.home.path / "votes"

    def turn(self) -> None:
        """Do what is due in every open dispute. Raises what keeps it from knowing or sending."""
        for dispute in self._disputes.all():
            if dispute.verdict is DisputeVerdict.NONE:
                self._step(dispute)

    def _step(self, dispute: Dispute) -> None:
        ledger, number = self._gathering.ledger, dispute.number
        step = (ledger.now() - dispute.filed_at) // ledger.timing().vote
        vote = self._disputes.vote(number, self._scorer)
        if step == 0 and vote is Vote.NONE and self._scorer in ledger.scorers(dispute.round):
            sealed = self._sealed(dispute)
            self._gathering.send(f"seal:{number}", ledger.court.seal_vote(number, self._scorer, sealed.recomputed, sealed.salt))
            log.info("vote sealed", dispute=number, round=dispute.round)
        elif step == 1 and vote is Vote.SEALED:
            kept = SealedVote.model_validate_json(self._file(number).read_bytes())
            call = ledger.court.reveal_vote(number, kept.payload, kept.recomputed, kept.salt)
            self._gathering.send(f"reveal:{number}", call)
            log.info("vote revealed", dispute=number, vote=self._disputes.vote(number, self._scorer).name.lower())
        elif step >= 2:
            self._gathering.send(f"decide:{number}", ledger.court.decide(number))
            log.info("dispute decided", dispute=number, verdict=self._disputes.one(number).verdict.name.lower())

    def _sealed(self, dispute: Dispute) -> SealedVote:
        if self._file(dispute.number).exists():
            return SealedVote.model_validate_json(self._file(dispute.number).read_bytes())
        ledger, blobs = self._gathering.ledger, self._gathering.blobs
        root = ledger.round(dispute.round).evidence_root
        published = intact(blobs, lambda: read_bundle(root, blobs))
        references = references_from(published, ledger, dispute.round)
        inputs = intact(blobs, lambda: assemble(references, blobs))
        own = recomputed(inputs, published, dispute.kind, dispute.position)
        payload = published.by_kind[dispute.kind][dispute.position].payload()
        sealed = SealedVote(payload=payload, recomputed=own, salt=secrets.token_bytes(32))
        write_durably(self._file(dispute.number), (sealed.model_dump_json() + "\n").encode())
        return sealed

    def _file(self, number: int) -> Path:
        return self._directory / f"{number}.json"
