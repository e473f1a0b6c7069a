"""Expelling a node as a scorer: sign what the evidence justifies, gather the others' signatures, send what is a quorum.

Unattended it signs only for rounds that this scorer attested itself. Given again, each step finds what was done.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from aggregator.errors import BlobMissing
from aggregator.mirror.expulsion import in_order, signer_of
from aggregator.refusals import WrongExpulsion
from aggregator.scorer.expulsions import Expulsions
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.records import Records
from aggregator.scorer.suspicion import sign_out, standing_of, standings
from ledger.errors import Reverted, TransactionRefused
from ledger.records import RoundState
from ledger.sender import Mined
from protocol.errors import ServiceError, SignatureError
from protocol.typed_data import Expulsion

log = structlog.get_logger()


@dataclass(frozen=True)
class Progress:
    """Where an expulsion stands: so many signatures of those `needed`, and the transaction if it was sent just now."""

    signatures: int
    needed: int
    mined: Mined | None = None


class Expelling:
    """Expels with the tools of a scorer's directory."""

    def __init__(self, gathering: Gathering, records: Records) -> None:
        self._gathering = gathering
        self._records = records
        self.kept = Expulsions(gathering.home.path / "expulsions")
        self._told: set[tuple[Expulsion, str]] = set()
        self._settled: set[Expulsion] = set()

    def turn(self) -> None:
        """Look at the rounds that have become Final, and carry on what is signed. Raises what keeps it from knowing."""
        final = self._gathering.ledger.latest_final()
        for number in sorted(self._records.rounds()):
            if self.kept.looked_at < number <= final:
                self._look_at(number)
                self.kept.look_after(number)
        for expulsion in self.kept.all():
            if expulsion not in self._settled:
                self._carry_on(expulsion)

    def sign(self, expulsion: Expulsion) -> None:
        """Sign a node out, and keep the signature. Raises as `sign_out`, which replays a round that was not attested here."""
        gathering, account = self._gathering, self._gathering.account
        assert account is not None, "signing needs the scorer's key"
        if self._attested(expulsion.round):
            standing_of(gathering.ledger, gathering.blobs, expulsion.round, expulsion.node)
            signature = expulsion.sign(gathering.ledger.domain, account)
        else:
            signature = sign_out(gathering.ledger, gathering.blobs, expulsion.round, expulsion.node, account)
        self.kept.keep(expulsion, account.address, signature)

    def forward(self, expulsion: Expulsion) -> Progress:
        """Tell the mirrors what is signed, take what they have, and send it if that is a quorum. Raises as `Sender`."""
        ledger = self._gathering.ledger
        self._tell(expulsion)
        signatures, needed = self._gathered(expulsion), ledger.quorum(expulsion.round)
        if len(signatures) < needed:
            return Progress(len(signatures), needed)
        call = ledger.expel(expulsion, in_order(signatures)[:needed])
        return Progress(len(signatures), needed, self._gathering.send(f"expel:{expulsion.round}:{expulsion.node}", call))

    def _look_at(self, number: int) -> None:
        ledger = self._gathering.ledger
        if not self._attested(number):
            return  # Void, or settled by others with another outcome: nothing of it is ours to sign for
        try:
            found = standings(ledger, self._gathering.blobs, number)
        except BlobMissing as missing:
            log.warning("whom the round could expel is not known", round=number, why=str(missing))
            return
        for standing in found.values():
            if standing.justifies and not ledger.node(standing.node).expelled:
                self.sign(Expulsion(number, standing.node))
                log.warning("signed a node out", round=number, node=standing.node, why=standing.sentence)

    def _attested(self, number: int) -> bool:
        """Whether this scorer attested the outcome that the chain has for a round, and that stands."""
        own, on_chain = self._records.attested(number), self._gathering.ledger.round(number)
        return own is not None and on_chain.state is RoundState.FINAL and own.claim.evidence_root == on_chain.evidence_root

    def _carry_on(self, expulsion: Expulsion) -> None:
        if self._gathering.ledger.node(expulsion.node).expelled:
            self._settled.add(expulsion)
            return
        try:
            if self.forward(expulsion).mined:
                log.warning("node expelled", round=expulsion.round, node=expulsion.node)
        except Reverted as error:  # somebody else was first, or it came back with a new invitation
            log.warning("not expelled", round=expulsion.round, node=expulsion.node, why=str(error))
            self._settled.add(expulsion)
        except TransactionRefused as error:  # without coin here: the signatures are where everybody finds them
            log.info("not sent from here", round=expulsion.round, node=expulsion.node, why=str(error))

    def _tell(self, expulsion: Expulsion) -> None:
        for mirror in self._gathering.mirrors:
            if (expulsion, mirror.url) in self._told:
                continue
            try:
                for signature in self.kept.signatures(expulsion).values():
                    mirror.expel(expulsion.round, expulsion.node, signature)
                self._told.add((expulsion, mirror.url))
            except ServiceError as error:
                log.info("a mirror did not take a signature", mirror=mirror.url, round=expulsion.round, why=str(error))

    def _gathered(self, expulsion: Expulsion) -> Mapping[str, bytes]:
        ledger = self._gathering.ledger
        for mirror in self._gathering.mirrors:
            try:
                offered = mirror.expulsion(expulsion.round, expulsion.node).signatures
            except ServiceError:
                continue
            for signature in offered:
                try:
                    signer = signer_of(ledger, expulsion, signature)
                except (SignatureError, WrongExpulsion):
                    continue
                if signer not in self.kept.signatures(expulsion):
                    self.kept.keep(expulsion, signer, signature)
        return self.kept.signatures(expulsion)
