"""A scorer's HTTP service: a mirror of what it attested, and the place where nodes hand in bodies that were refused."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI, Header, Request
from fastapi_offline import FastAPIOffline

from aggregator.blobs import BlobStore
from aggregator.bundles import read_bundle
from aggregator.errors import BlobTooLarge
from aggregator.mirror.claim import Claim
from aggregator.mirror.doubles import Double, doubles_among
from aggregator.mirror.expulsion import check_subject, signer_of, view_of
from aggregator.mirror.routes import Mirror, Serving, install
from aggregator.refusals import (
    BadSalt,
    NothingCommitted,
    NotYetThere,
    RequestExpired,
    RequestReplayed,
    TooEarly,
    TooLate,
    UnknownRound,
    WrongAttestation,
    WrongSigner,
)
from aggregator.scorer.double_updates import seen_here
from aggregator.scorer.expulsions import Expulsions
from aggregator.scorer.forwarding import Commitment, Forwarding
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.records import Attested, Records
from aggregator.scorer.references import PROPOSED
from aggregator.web import problems
from aggregator.web.limits import JsonLimit
from aggregator.web.problems import problem_responses
from aggregator.web.shared import NodeIndex, RoundNumber, example
from aggregator.web.uploads import announced_length, drain, read_opening, receive
from ledger.errors import LedgerError
from ledger.records import RoundState
from protocol.api import ExpulsionView, Health, UploadView
from protocol.client import SALT_HEADER, SAMPLES_HEADER, UPDATE_HEADER
from protocol.errors import BodyError, CommitmentError, SignatureError
from protocol.evidence import Access
from protocol.requests import BODY_HASH_HEADER
from protocol.typed_data import Expulsion
from protocol.version import VERSION


class ScorerLibrary:
    """A `Library` over the directory of a scorer: the rounds that it attested."""

    def __init__(self, gathering: Gathering, records: Records, expulsions: Expulsions) -> None:
        self._gathering = gathering
        self._records = records
        self._expulsions = expulsions
        self.blobs: BlobStore = BlobStore(gathering.home.blobs_directory)

    def evidence_root(self, number: int, access: Access) -> bytes:
        """The root of an attested round's evidence; before the round is proposed only for scorers."""
        root = self._attested(number).claim.evidence_root
        if access < Access.SCORERS and self._gathering.ledger.round(number).state not in PROPOSED:
            raise NotYetThere(number, "evidence", str(self._gathering.ledger.round(number).state))
        return root

    def claim(self, number: int) -> Claim:
        """The outcome that this scorer attested."""
        return self._attested(number).claim

    def attestations(self, number: int) -> tuple[bytes, ...]:
        """Its own signature and those that came in."""
        return self._attested(number).sorted

    def take_attestation(self, number: int, signature: bytes) -> None:
        """Keep another scorer's signature."""
        claim = self.claim(number)
        signer = claim.attestation.signer(self._gathering.ledger.domain, signature)
        if signer not in self._gathering.ledger.bonded(number):
            raise WrongAttestation(number, signer)
        self._records.keep(claim, signer, signature)

    def expulsion(self, number: int, node: int) -> ExpulsionView:
        """Its own signature, if it signed the node out, and those that came in."""
        ledger, expulsion = self._gathering.ledger, Expulsion(number, node)
        check_subject(ledger, expulsion)
        return view_of(ledger, expulsion, self._expulsions.signatures(expulsion))

    def take_expulsion(self, number: int, node: int, signature: bytes) -> None:
        """Keep another scorer's signature. This one signs by the evidence, not because others did."""
        ledger, expulsion = self._gathering.ledger, Expulsion(number, node)
        check_subject(ledger, expulsion)
        self._expulsions.keep(expulsion, signer_of(ledger, expulsion, signature), signature)

    def double_updates(self, number: int) -> tuple[Double, ...]:
        """Of the Updates in the evidence that it attested, on chain, and under bodies that were handed over here."""
        gathering, own = self._gathering, self._records.attested(number)
        if gathering.ledger.round(number).state is RoundState.NONE:
            raise UnknownRound(number, gathering.ledger.last_round())
        evidence = read_bundle(own.claim.evidence_root, self.blobs) if own and self.blobs.has(own.claim.evidence_root) else None
        return doubles_among(seen_here(gathering, number, evidence), gathering.ledger.roster(number), gathering.ledger.domain)

    def is_public_model(self, name: bytes) -> bool:
        """Whether an attested round that was proposed ended with this model, or one started from it."""
        for number in self._records.rounds():
            on_chain = self._gathering.ledger.round(number)
            ended = on_chain.state in PROPOSED and on_chain.model_hash == name
            if ended or self._gathering.ledger.round(on_chain.parent).model_hash == name:
                return self.blobs.has(name)
        return False

    def _attested(self, number: int) -> Attested:
        found = self._records.attested(number)
        if found is None:
            last = self._gathering.ledger.last_round()
            if number > last:
                raise UnknownRound(number, last)
            raise NotYetThere(number, "attestation", str(self._gathering.ledger.round(number).state))
        return found


router = APIRouter(tags=["scorer"])


@router.get("/healthz", summary="Is the scorer up?", responses=example(Health(status="ok", version=VERSION, block=41)))
def health(request: Request) -> Health:
    """Always 200 while it runs; `status` is "ok", or what it has trouble with."""
    trouble: str | None = request.app.state.trouble()
    try:
        block = request.app.state.gathering.ledger.block().number
    except LedgerError as error:  # a probe must be answered whatever the chain does
        trouble, block = str(error), 0
    return Health(status=trouble or "ok", version=VERSION, block=block)


@router.put(
    "/v1/rounds/{number}/bodies/{node}",
    summary="Hand over a body that the aggregator refused",
    responses=problem_responses(
        UnknownRound,
        NothingCommitted,
        TooEarly,
        TooLate,
        BadSalt,
        WrongSigner,
        SignatureError,
        CommitmentError,
        BodyError,
        BlobTooLarge,
        RequestExpired,
        RequestReplayed,
    )
    | example(UploadView(round=1, node=0, committed=True, revealed=True)),
)
async def hand_over(
    number: RoundNumber,
    node: NodeIndex,
    request: Request,
    mirror: Serving,
    signature: Annotated[
        str, Header(alias=UPDATE_HEADER, pattern="^0x[0-9a-fA-F]{130}$", description="The node's, under its Update.")
    ],
    samples: Annotated[int, Header(alias=SAMPLES_HEADER, ge=0, lt=1 << 32, description="The sample count that it signed.")],
    salt: Annotated[str | None, Header(alias=SALT_HEADER, description="The commitment's salt, 0x-hex.")] = None,
    hashed: Annotated[str | None, Header(alias=BODY_HASH_HEADER, description="The body's SHA-256, 0x-hex.")] = None,
) -> UploadView:
    """Before the reveal deadline, by the node. The scorer forwards the body at once, and attests no outcome without it. From
    other scorers, by a signed request, it is taken for half of the grace period more.
    """
    forwarding: Forwarding = request.app.state.forwarding
    stream, limit = request.stream(), 0
    try:
        limit = await run_sync(forwarding.limit, number)
        is_forwarded = await run_sync(mirror.is_from_scorer, request)
        offered = Commitment(number, node, samples, bytes.fromhex(signature[2:]), *read_opening(salt, hashed), is_forwarded)
        await run_sync(forwarding.expect, offered)
        announced = announced_length(request)
        if announced is not None and announced > limit:
            raise BlobTooLarge(limit)
        with mirror.library.blobs.receive(limit) as incoming:
            await receive(stream, incoming, announced)
            await run_sync(forwarding.keep, offered, incoming)
    except Exception:  # whatever it is refused for, the sender must come to read it
        await drain(stream, limit)
        raise
    return UploadView(round=number, node=node, committed=True, revealed=True)


def create_app(gathering: Gathering, mirror: Mirror, forwarding: Forwarding) -> FastAPI:
    """The scorer's API. Every error is a problem document."""
    app = FastAPIOffline(
        title="fairshare scorer",
        version=VERSION,
        description="A mirror of the rounds that this scorer attested. Nothing here needs to be believed: all of it is hashed.",
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.gathering, app.state.forwarding = gathering, forwarding
    app.state.trouble = lambda: None
    problems.install(app)
    app.add_middleware(JsonLimit)
    app.include_router(router)
    install(app, mirror)
    return app
