"""A scorer's part in disputes: recompute the leaf, seal it, reveal it, decide. Unattended, and safe to be killed anywhere.

What was sealed is on the disk before it is sent: without its salt a vote could never be revealed.
"""

import secrets
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from aggregator.assembly import assemble
from aggregator.errors import AggregatorError
from aggregator.scorer.errors import NothingToDispute, ReplayError
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.recompute import Payloads, recompute
from aggregator.scorer.references import references_from
from aggregator.scorer.verify import intact, read_published
from ledger.disputes import Dispute, Disputes, DisputeVerdict, Vote
from ledger.errors import LedgerError
from protocol.errors import CommitmentError, EvidenceError, ProtocolError, SignatureError
from protocol.evidence import Evidence
from protocol.files import write_durably
from protocol.json_types import Hash, HexBytes

log = structlog.get_logger()

_AGAINST_ALL = (ReplayError, EvidenceError, CommitmentError, SignatureError)
"""What evidence is refused for before anything of it is computed. Not that its task cannot be run, which may be our fault."""


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
        self._recomputed: tuple[bytes, Evidence, Payloads] | None = None

    def turn(self) -> None:
        """Do what is due in every open dispute. Raises what keeps it from knowing or sending, once the others had their turn."""
        failure: Exception | None = None
        for dispute in self._disputes.all():
            if dispute.verdict is DisputeVerdict.NONE:
                try:
                    self._step(dispute)
                except (AggregatorError, LedgerError, ProtocolError, OSError) as error:
                    failure = failure or error
        if failure is not None:
            raise failure

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
        published, should_be = self._recompute(dispute.round)
        leaf = published.by_kind[dispute.kind].get(dispute.position)
        if leaf is None:
            raise NothingToDispute(dispute.round, f"{dispute.kind.name} leaf {dispute.position} in the evidence found")
        own = should_be.get((dispute.kind, dispute.position), b"")
        sealed = SealedVote(payload=leaf.payload(), recomputed=own, salt=secrets.token_bytes(32))
        write_durably(self._file(dispute.number), (sealed.model_dump_json() + "\n").encode())
        return sealed

    def _recompute(self, number: int) -> tuple[Evidence, Payloads]:
        """A round's evidence, and what its leaves should be. Computed once, however many of them are disputed."""
        ledger, blobs = self._gathering.ledger, self._gathering.blobs
        root = ledger.round(number).evidence_root
        if self._recomputed is None or self._recomputed[0] != root:
            published = read_published(root, blobs)
            should_be: Payloads = {}
            try:
                references = references_from(published, ledger, number)
                should_be = recompute(intact(blobs, lambda: assemble(references, blobs)), published)
            except _AGAINST_ALL as refusal:
                log.info("the evidence is refused as a whole", round=number, why=str(refusal))
            self._recomputed = root, published, should_be
        return self._recomputed[1:]

    def _file(self, number: int) -> Path:
        return self._directory / f"{number}.json"
