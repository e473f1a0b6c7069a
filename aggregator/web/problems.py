"""The single table from errors to HTTP, and the answer that every error gets: a problem document (RFC 9457).

`type` is a URN whose last part is the machine-readable code. The nearest class in an error's method resolution order decides.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aggregator import refusals
from aggregator.errors import AggregatorError, BlobError, BlobTooLarge, StorageFailed
from ledger.errors import LedgerError
from protocol.api import Problem
from protocol.catalogue import REFUSALS
from protocol.errors import BodyError, CommitmentError, FormatError, SignatureError

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class Row(NamedTuple):
    """One row of the table; `code` is one of the catalogue's refusals, whose words the document carries."""

    status: HTTPStatus
    code: str


TABLE: dict[type[Exception], Row] = {
    refusals.UnknownPage: Row(HTTPStatus.NOT_FOUND, "unknown-page"),
    refusals.UnknownRound: Row(HTTPStatus.NOT_FOUND, "unknown-round"),
    refusals.UnknownNode: Row(HTTPStatus.NOT_FOUND, "unknown-node"),
    refusals.UnknownModel: Row(HTTPStatus.NOT_FOUND, "unknown-model"),
    refusals.UnknownTerms: Row(HTTPStatus.NOT_FOUND, "unknown-terms"),
    refusals.UnknownBlob: Row(HTTPStatus.NOT_FOUND, "unknown-blob"),
    refusals.UnknownLeaf: Row(HTTPStatus.NOT_FOUND, "unknown-leaf"),
    refusals.NotAllowed: Row(HTTPStatus.FORBIDDEN, "not-allowed"),
    refusals.RequestExpired: Row(HTTPStatus.UNAUTHORIZED, "request-expired"),
    refusals.RequestReplayed: Row(HTTPStatus.UNAUTHORIZED, "request-replayed"),
    refusals.WrongAttestation: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong-attestation"),
    refusals.WrongExpulsion: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong-expulsion"),
    refusals.NotYetThere: Row(HTTPStatus.NOT_FOUND, "not-yet-there"),
    refusals.NotRegistered: Row(HTTPStatus.FORBIDDEN, "not-registered"),
    refusals.NotStaked: Row(HTTPStatus.FORBIDDEN, "not-staked"),
    refusals.Leaving: Row(HTTPStatus.FORBIDDEN, "leaving"),
    refusals.JoinedLater: Row(HTTPStatus.FORBIDDEN, "joined-later"),
    refusals.WrongSigner: Row(HTTPStatus.FORBIDDEN, "wrong-signer"),
    refusals.WrongRound: Row(HTTPStatus.CONFLICT, "wrong-round"),
    refusals.WrongInputs: Row(HTTPStatus.CONFLICT, "wrong-inputs"),
    refusals.WrongBaseModel: Row(HTTPStatus.CONFLICT, "wrong-base-model"),
    refusals.SecondUpdate: Row(HTTPStatus.CONFLICT, "second-update"),
    refusals.TooEarly: Row(HTTPStatus.CONFLICT, "too-early"),
    refusals.NothingCommitted: Row(HTTPStatus.CONFLICT, "nothing-committed"),
    refusals.TooLate: Row(HTTPStatus.GONE, "too-late"),
    refusals.BadSalt: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-salt"),
    refusals.Truncated: Row(HTTPStatus.BAD_REQUEST, "truncated"),
    BlobTooLarge: Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large"),
    CommitmentError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong-body"),
    BodyError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "undecodable-body"),
    SignatureError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-signature"),
    FormatError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-format"),
    RequestValidationError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-request"),
    BlobError: Row(HTTPStatus.SERVICE_UNAVAILABLE, "blob-unavailable"),
    StorageFailed: Row(HTTPStatus.SERVICE_UNAVAILABLE, "storage-failed"),
    LedgerError: Row(HTTPStatus.SERVICE_UNAVAILABLE, "chain-unavailable"),
    Exception: Row(HTTPStatus.INTERNAL_SERVER_ERROR, "internal"),
}

_RETRY_SECONDS = "2"


def row_of(error: Exception) -> Row:
    """The table's row for an error."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def document(row: Row, detail: str) -> Problem:
    """The problem document of a row; `detail` is about this one case."""
    _, sentence, next_step = REFUSALS[row.code]
    kind = f"urn:fairshare:problem/{row.code}"
    return Problem(type=kind, title=sentence, status=row.status, detail=detail, next_step=next_step)


def respond(row: Row, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer with a problem document."""
    problem = document(row, detail)
    more = {"Retry-After": _RETRY_SECONDS} if row.status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse(problem.model_dump(), row.status, {**more, **(headers or {})}, media_type=MEDIA_TYPE)


def problem_responses(*errors: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """What a route declares in the OpenAPI document about the errors that it may answer with."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for row in (TABLE[error] for error in (*errors, LedgerError)):
        known = by_status.setdefault(row.status.value, {"model": Problem, "content": {MEDIA_TYPE: {"examples": {}}}})
        example = document(row, "…")
        known["content"][MEDIA_TYPE]["examples"][row.code] = {"value": example.model_dump()}
        known["description"] = ", ".join(known["content"][MEDIA_TYPE]["examples"])
    return by_status


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for family in (AggregatorError, LedgerError, FormatError, SignatureError, CommitmentError):
        app.add_exception_handler(family, _known)
    app.add_exception_handler(Exception, _unknown)


def _known(request: Request, error: Exception) -> JSONResponse:
    row = row_of(error)
    if row.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("cannot answer", path=request.url.path, why=str(error))
    return respond(row, str(error))


def _unknown(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it again for the server's log; what it says may be nobody's business.
    return respond(TABLE[Exception], "the aggregator's log says more; try again later")


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return respond(TABLE[RequestValidationError], _faults(error.errors()))


def _faults(errors: Sequence[Any]) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in errors)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _known(request, refusals.UnknownPage(request.url.path))
    status = HTTPStatus(error.status_code)
    row = Row(status, "method-not-allowed" if status is HTTPStatus.METHOD_NOT_ALLOWED else "bad-request")
    return respond(row, f"{request.method} {request.url.path}: {status.description}", dict(error.headers or {}))
