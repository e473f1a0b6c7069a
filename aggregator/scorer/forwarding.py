"""Bodies that nodes hand to a scorer because the aggregator would not take them.

The salt, the sample count and the node's signature show that the node committed to exactly this body; nothing else is needed to
take it, if it is a safetensors file. It is kept, forwarded to the aggregator at once, and shared with the other scorers, who do
the same. A round whose evidence then lacks the body of that commitment is not attested.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from aggregator.blobs import Incoming
from aggregator.mirror.deadlines import forwarding_deadline, reveal_deadline
from aggregator.mirror.doubles import Signed
from aggregator.refusals import NothingCommitted, TooEarly, TooLate, UnknownRound, WrongSigner
from aggregator.scorer.errors import BodyWithheld
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.verify import intact
from aggregator.terms import read_config
from ledger.records import RoundState
from protocol.client import FederationClient
from protocol.errors import ServiceError, ServiceRefused
from protocol.evidence import Evidence, Kind
from protocol.files import write_durably
from protocol.json_types import Hash, HexBytes
from protocol.parameters import decode_tensors
from protocol.typed_data import Update
from protocol.update import check_arrived, commitment

log = structlog.get_logger()

_one_in_memory = Lock()
"""Reading a body needs all of it in memory: one at a time, however many arrive."""


class HandedBody(BaseModel):
    """`bodies/<round>-<node>-<commitment>.json`: what a node committed to and handed over, its body a blob."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    node: int
    samples: int
    parameters: Hash
    signature: HexBytes
    salt: Hash
    body_hash: Hash


@dataclass(frozen=True)
class Commitment:
    """What shows whose body it is. `is_forwarded`: another scorer sends it."""

    round: int
    node: int
    samples: int
    signature: bytes
    salt: bytes
    body_hash: bytes
    is_forwarded: bool


class Forwarding:
    """The handed-over bodies of one scorer."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._directory = gathering.home.path / "bodies"
        self._limits: dict[bytes, int] = {}  # by the inputs of a round, which bind its config
        self._answered: set[tuple[int, int, bytes]] = set()  # what the aggregator said yes or no to: round, node, parameters

    def limit(self, number: int) -> int:
        """How large a body may be, in bytes: the config says it that the round opened with.

        Raises `UnknownRound`, and `BlobMissing` if no mirror has that config.
        """
        blobs, ledger = self._gathering.blobs, self._gathering.ledger
        on_chain = ledger.round(number)
        if on_chain.inputs not in self._limits:
            opening = None if on_chain.state is RoundState.NONE else ledger.opening(number)
            if opening is None:
                raise UnknownRound(number, ledger.last_round())
            config = intact(blobs, lambda: read_config(opening.config_hash, blobs))
            self._limits[on_chain.inputs] = config.rounds.body_bytes
        return self._limits[on_chain.inputs]

    def expect(self, offered: Commitment) -> None:
        """Whether a body would be taken now, asked before a byte of it is read.

        Raises `UnknownRound`, `TooEarly`, `TooLate`, `NothingCommitted`, and `WrongSigner` or `SignatureError` if it is not the
        node's.
        """
        ledger = self._gathering.ledger
        on_chain, timing = ledger.round(offered.round), ledger.timing()
        if on_chain.state is RoundState.NONE:
            raise UnknownRound(offered.round, ledger.last_round())
        if on_chain.state is RoundState.OPEN:
            raise TooEarly(offered.round)
        until = forwarding_deadline(on_chain, timing) if offered.is_forwarded else reveal_deadline(on_chain, timing)
        if on_chain.state is not RoundState.CLOSED or ledger.now() >= until:
            raise TooLate(offered.round, "bodies")
        expected = {entry.node: entry.signer for entry in ledger.roster(offered.round)}
        if offered.node not in expected:
            raise NothingCommitted(offered.node, offered.round)
        signer = self._update(offered).signer(ledger.domain, offered.signature)
        if signer != expected[offered.node]:
            raise WrongSigner(offered.node, offered.round, signer, expected[offered.node])

    def keep(self, offered: Commitment, incoming: Incoming) -> None:
        """Keep an arrived body durably and pass it on. Raises `CommitmentError` if it is another one, `BodyError` if it cannot be
        read, and as `expect` does.
        """
        # Asked again: what begins to arrive in time may end when nobody can forward it any more.
        self.expect(offered)
        gathering, hashed = self._gathering, offered.body_hash
        check_arrived(incoming.sha256, hashed)
        update = self._update(offered)
        # The aggregator takes no other, and what it may refuse must not hold back an attestation.
        with _one_in_memory:
            decode_tensors(incoming.path.read_bytes())
        if not gathering.blobs.has(hashed):
            gathering.blobs.keep(incoming, hashed)
        handed = HandedBody(
            round=offered.round,
            node=offered.node,
            samples=offered.samples,
            parameters=update.parameters,
            signature=offered.signature,
            salt=offered.salt,
            body_hash=hashed,
        )
        # By the commitment, too: should the node have signed two, both are kept.
        path = self._directory / f"{offered.round}-{offered.node}-{update.parameters.hex()[:16]}.json"
        is_new = not path.exists()
        write_durably(path, (handed.model_dump_json() + "\n").encode())
        if is_new:
            self._pass_on(handed, offered.is_forwarded)

    def resend(self) -> None:
        """Forward again what the aggregator did not answer to, as long as it may still take it: it may have been away."""
        ledger = self._gathering.ledger
        for number in range(ledger.latest_final() + 1, ledger.last_round() + 1):
            on_chain = ledger.round(number)
            if on_chain.state is not RoundState.CLOSED or ledger.now() >= forwarding_deadline(on_chain, ledger.timing()):
                continue
            for handed in self._of(number):
                if (number, handed.node, handed.parameters) not in self._answered:
                    self._pass_on(handed, to_aggregator_only=True)

    def check(self, evidence: Evidence) -> None:
        """Raise `BodyWithheld` if a body that was forwarded in time is not in a round's evidence."""
        for handed in self._of(evidence.header.round):
            update = evidence.by_kind[Kind.UPDATE].get(handed.node)
            if update is None or update.get("parameters") != handed.parameters:
                continue  # not what the round was closed over: a matter of the receipt, which the chain judges
            if handed.node not in evidence.by_kind[Kind.BODY]:
                raise BodyWithheld(handed.round, handed.node)

    def signed(self, number: int) -> tuple[Signed, ...]:
        """The Updates whose bodies were handed over in a round."""
        handed = tuple(self._of(number))
        return tuple(Signed(self._bound(number, one.node, one.parameters, one.samples), one.signature) for one in handed)

    def _update(self, offered: Commitment) -> Update:
        separator = self._gathering.ledger.domain.separator
        opened = commitment(separator, offered.round, offered.node, offered.salt, offered.body_hash)
        return self._bound(offered.round, offered.node, opened, offered.samples)

    def _bound(self, number: int, node: int, parameters: bytes, samples: int) -> Update:
        on_chain = self._gathering.ledger.round(number)
        base = self._gathering.ledger.round(on_chain.parent).model_hash
        return Update(number, on_chain.inputs, node, base, parameters, samples)

    def _pass_on(self, handed: HandedBody, to_aggregator_only: bool) -> None:
        # The aggregator is the first mirror. What another scorer sent, it has told the others about itself.
        update = self._bound(handed.round, handed.node, handed.parameters, handed.samples)
        body = self._gathering.blobs.get(handed.body_hash)
        for mirror in self._gathering.mirrors[: 1 if to_aggregator_only else None]:
            is_answered = self._send(mirror, update, handed, body)
            if is_answered and mirror is self._gathering.mirrors[0]:
                self._answered.add((handed.round, handed.node, handed.parameters))

    def _send(self, mirror: FederationClient, update: Update, handed: HandedBody, body: bytes) -> bool:
        """Whether the mirror answered, be it a refusal."""
        try:
            mirror.hand_over(update, handed.signature, handed.salt, body)
            log.info("body forwarded", round=update.round, node=update.node, to=mirror.url)
        except ServiceError as error:
            log.warning("body not taken", round=update.round, node=update.node, by=mirror.url, why=str(error))
            return isinstance(error, ServiceRefused) and error.status < 500
        return True

    def _of(self, number: int) -> Iterator[HandedBody]:
        for path in sorted(Path(self._directory).glob(f"{number}-*.json")):
            try:
                yield HandedBody.model_validate_json(path.read_bytes())
            except ValidationError:
                log.warning("a record of a handed-over body cannot be read", file=str(path))
