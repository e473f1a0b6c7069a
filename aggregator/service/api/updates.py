"""What nodes send: the signed commitment while a round is open, and its body once it has closed."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Header, Request

from aggregator.errors import BlobTooLarge, StorageFailed
from aggregator.mirror.routes import Serving
from aggregator.refusals import (
    BadSalt,
    JoinedLater,
    Leaving,
    NothingCommitted,
    NotRegistered,
    NotStaked,
    RequestExpired,
    RequestReplayed,
    SecondUpdate,
    TooEarly,
    TooLate,
    Truncated,
    UnknownRound,
    WrongBaseModel,
    WrongInputs,
    WrongRound,
    WrongSigner,
)
from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.service.bodies import body_limit, expect_body, keep_body
from aggregator.service.intake import take_commitment
from aggregator.web.problems import problem_responses
from aggregator.web.shared import NodeIndex, RoundNumber, example
from aggregator.web.uploads import announced_length, drain, read_opening, receive
from protocol.api import CommitRequest, ReceiptView, UploadView
from protocol.client import SALT_HEADER
from protocol.errors import BodyError, CommitmentError, FormatError, SignatureError
from protocol.requests import BODY_HASH_HEADER
from protocol.typed_data import Update

router = APIRouter(prefix="/v1/rounds/{number}", tags=["updates"])

_MEMBERSHIP = (NotRegistered, NotStaked, Leaving, JoinedLater, WrongSigner)
_CONTENT = (WrongRound, WrongInputs, WrongBaseModel, SecondUpdate, SignatureError, FormatError)


@router.post(
    "/updates",
    summary="Commit to an update",
    responses={**problem_responses(UnknownRound, TooLate, *_MEMBERSHIP, *_CONTENT), **example(examples.RECEIPT)},
)
def commit(
    number: RoundNumber,
    request: Annotated[CommitRequest, Body(openapi_examples={"signed": {"value": examples.COMMIT.model_dump(mode="json")}})],
    service: Service,
) -> ReceiptView:
    """Hand in a signed Update while the round is open. The receipt is given once it is on the aggregator's disk; the same
    Update again gets the same receipt. A node commits to one update a round.
    """
    update = Update(number, request.inputs, request.node, request.base_model, request.parameters, request.samples)
    kept = take_commitment(service.context, update, request.signature)
    return ReceiptView(round=number, node=request.node, leaf=kept.leaf, signature=kept.receipt)


@router.get(
    "/updates/{node}",
    summary="What is here of a node's update",
    responses={**problem_responses(UnknownRound), **example(examples.UPLOAD)},
)
def upload(number: RoundNumber, node: NodeIndex, service: Service) -> UploadView:
    """How a node that was restarted finds out where it was."""
    return service.upload(number, node)


@router.put(
    "/bodies/{node}",
    summary="Reveal the body of a commitment",
    responses={
        **problem_responses(
            UnknownRound,
            NothingCommitted,
            TooEarly,
            TooLate,
            Truncated,
            BadSalt,
            CommitmentError,
            BodyError,
            BlobTooLarge,
            RequestExpired,
            RequestReplayed,
            StorageFailed,
        ),
        **example(examples.UPLOAD),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The safetensors file of the update: trained minus base.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def reveal(
    number: RoundNumber,
    node: NodeIndex,
    request: Request,
    service: Service,
    mirror: Serving,
    salt: Annotated[
        str | None, Header(alias=SALT_HEADER, description="The commitment's salt, 0x-hex.", examples=["0x" + "5a" * 32])
    ] = None,
    hashed: Annotated[
        str | None, Header(alias=BODY_HASH_HEADER, description="The body's SHA-256, 0x-hex.", examples=["0x" + "b0" * 32])
    ] = None,
) -> UploadView:
    """Upload the body after the round has closed and before its `reveal_deadline`. It must open the node's commitment, which the
    headers show before a byte is taken, and be a safetensors file; a refused one may be sent again. The same one again changes
    nothing. A scorer that was handed a body forwards it by a signed request, and has the grace period more.
    """
    stream, limit = request.stream(), 0
    try:
        limit = await run_sync(body_limit, service.context, number)
        is_forwarded = await run_sync(mirror.is_from_scorer, request)
        opening = read_opening(salt, hashed)
        expected = await run_sync(expect_body, service.context, number, node, *opening, is_forwarded)
        announced = announced_length(request)
        if announced is not None and announced > limit:
            raise BlobTooLarge(limit)
        with service.context.blobs.receive(limit) as incoming:
            await receive(stream, incoming, announced)
            await run_sync(keep_body, service.context, expected, incoming, announced)
    except Exception:  # whatever it is refused for, the sender must come to read it
        await drain(stream, limit)
        raise
    return UploadView(round=number, node=node, committed=True, revealed=True)
