"""Attesting as a scorer of a federation: replay what is claimed, sign it once, remember it, tell everybody."""

import structlog

from aggregator.mirror.claim import Claim
from aggregator.scorer.attest import attest
from aggregator.scorer.forwarding import Forwarding
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.records import Records
from protocol.errors import ServiceError

log = structlog.get_logger()


class Attesting:
    """Attests rounds with the key of a scorer's directory."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self.records = Records(gathering.home.path / "rounds", gathering.ledger.domain)

    def attest(self, number: int) -> tuple[bytes, tuple[str, ...]]:
        """Replay the outcome that is claimed for a closed round and sign it; the signature, and the mirrors that took it.

        An outcome that was attested before is not replayed again, and no second one of the same round is ever signed. Raises as
        `verify` does, `BodyWithheld` if a forwarded body is missing.
        """
        mine = self.records.attested(number)
        if mine is None:
            gathering = self._gathering
            assert gathering.account is not None, "attesting needs the scorer's key"
            root = gathering.claimed(number)
            verified, signature = attest(gathering.ledger, gathering.blobs, number, root, gathering.account)
            Forwarding(gathering).check(verified.evidence)
            mine = self.records.keep(verified.claim, gathering.account.address, signature)
        signature = mine.signatures[self._gathering.account.address] if self._gathering.account else b""
        return signature, self.tell(mine.claim, signature)

    def tell(self, claim: Claim, signature: bytes) -> tuple[str, ...]:
        """Hand a signature to every mirror that claims the same outcome; those that took it."""
        told = []
        for mirror in self._gathering.mirrors:
            try:
                mirror.attest(claim.round, signature)
                told.append(mirror.url)
            except ServiceError as error:
                log.info("a mirror did not take the attestation", mirror=mirror.url, round=claim.round, why=str(error))
        return tuple(told)
