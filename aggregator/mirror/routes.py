"""The routes of a mirror: evidence by level of access, single leaves, files that can be resumed, and attestations.

`install` puts them into an application. Nothing here is believed by whoever asks: all of it hashes to what the chain has.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from aggregator.errors import BlobMissing
from aggregator.mirror.access import Gatekeeper
from aggregator.mirror.doubles import view_of
from aggregator.mirror.library import EvidenceReader, Library
from aggregator.refusals import (
    NotAllowed,
    NotYetThere,
    RequestExpired,
    RequestReplayed,
    UnknownBlob,
    UnknownLeaf,
    UnknownModel,
    UnknownNode,
    UnknownRound,
    WrongAttestation,
    WrongExpulsion,
)
from aggregator.web.problems import problem_responses
from aggregator.web.shared import NodeIndex, RoundNumber, example, json_example
from protocol.api import AttestationsView, CommitRequest, DoubleUpdateView, ExpulsionView, ScorerSignature
from protocol.errors import EvidenceError, SignatureError
from protocol.evidence import EVIDENCE_VERSION, LEAF_KINDS, Access, Kind
from protocol.evidence_json import evidence_to_json
from protocol.openings import open_leaf, opening_to_json

_NAME = "^0x[0-9a-fA-F]{64}$"
_MEDIA_TYPE = "application/octet-stream"
SIGNED = (NotAllowed, RequestExpired, RequestReplayed, SignatureError)
"""What may be wrong with a signed request."""

_FOR_THE_ASKER = {"Cache-Control": "no-store"}
"""A cache on the way knows nothing of signed requests, and would give anyone what one of them was answered with."""

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
    206: {
        "description": "The rest of it, as `Range: bytes=N-` asks: how an interrupted download goes on",
        "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    },
}


_BUNDLE = json_example(
    {
        "schema_version": EVIDENCE_VERSION,
        "root": "0xef…",
        "header": {"federation": "0x…", "round": "1", "total_basis": "528482304000"},
        "leaves": [{"kind": "verdict", "position": 0, "values": ["1", "1", "65536"]}],
    }
)
_OPENING = json_example({"kind": "score", "position": 0, "values": ["4210333"], "siblings": ["0x00…"], "sums": []})

_CLAIM = AttestationsView(
    round=1,
    seed=b"\x5e" * 32,
    evidence_root=b"\xef" * 32,
    scores=(10_000_000).to_bytes(3),
    model=b"\xb1" * 32,
    signatures=[b"\x51" * 64 + b"\x1b"],
)

_EXPULSION = ExpulsionView(round=1, node=4, signatures=[b"\x51" * 64 + b"\x1b"], needed=3)

_SIGNED = CommitRequest(
    inputs=b"\x17" * 32, node=4, base_model=b"\xb1" * 32, parameters=b"\xc0" * 32, samples=100, signature=b"\x51" * 64 + b"\x1b"
)
_DOUBLE = DoubleUpdateView(round=1, node=4, first=_SIGNED, second=_SIGNED.model_copy(update={"parameters": b"\xc1" * 32}))


@dataclass(frozen=True)
class Mirror:
    """What the routes serve, and who may see it."""

    library: Library
    gatekeeper: Gatekeeper

    @cached_property
    def reader(self) -> EvidenceReader:
        """Reads the library's evidence."""
        return EvidenceReader(self.library.blobs)

    def admit(self, request: Request, number: int | None, needed: Access) -> Access:
        """The access level of a request; raises as `Gatekeeper.admit` does."""
        return self.gatekeeper.admit(request.method, signed_path(request), request.headers, number, needed)

    def is_from_scorer(self, request: Request) -> bool:
        """Whether a scorer signed the request; raises as `Gatekeeper.signer` does."""
        signer = self.gatekeeper.signer(request.method, signed_path(request), request.headers)
        return signer is not None and self.gatekeeper.is_scorer(signer)


def install(app: FastAPI, mirror: Mirror) -> None:
    """Serve a mirror in this application."""
    app.state.mirror = mirror
    app.include_router(router)


def signed_path(request: Request) -> str:
    """What a signed request names: the path as it was sent, with its query."""
    path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _mirror(request: Request) -> Mirror:
    mirror: Mirror = request.app.state.mirror
    return mirror


Serving = Annotated[Mirror, Depends(_mirror)]
Name = Annotated[str, Path(pattern=_NAME, description="The hash that names it.", examples=["0x" + "b1" * 32])]

router = APIRouter(prefix="/v1", tags=["evidence"])


@router.get(
    "/rounds/{number}/evidence",
    summary="The leaves that you may see",
    response_class=JSONResponse,
    responses={**problem_responses(UnknownRound, NotYetThere, *SIGNED), **_BUNDLE},
)
def evidence(number: RoundNumber, request: Request, mirror: Serving) -> JSONResponse:
    """The whole header, which hashes to the evidence root on chain, and every leaf that is open to you: to anyone verdicts,
    contributions and scores; to a node of the round (by a signed request) utilities and statistics too; to a scorer all.
    """
    access = mirror.admit(request, number, Access.ANYONE)
    found = mirror.reader.read(mirror.library.evidence_root(number, access))
    return JSONResponse(evidence_to_json(found.visible_to(access)), headers=_FOR_THE_ASKER)


@router.get(
    "/rounds/{number}/evidence/{kind}/{position}",
    summary="One leaf, to be checked alone",
    response_class=JSONResponse,
    responses={**problem_responses(UnknownRound, NotYetThere, UnknownLeaf, *SIGNED), **_OPENING},
)
def opening(
    number: RoundNumber,
    kind: Annotated[str, Path(description="Kind of the leaf, in lower case, as in the bundle.", examples=["score"])],
    position: Annotated[int, Path(ge=0, description="Position in the kind's tree; mostly a node's index.")],
    request: Request,
    mirror: Serving,
) -> JSONResponse:
    """A leaf and the siblings that lead to the header's root of its kind; `values` is null if nothing stands there, which the
    siblings prove as well.
    """
    try:
        wanted = Kind[kind.upper()]
    except KeyError:
        raise UnknownLeaf(kind, position) from None
    access = mirror.admit(request, number, LEAF_KINDS[wanted].access)
    found = mirror.reader.read(mirror.library.evidence_root(number, access))
    try:
        return JSONResponse(opening_to_json(open_leaf(found, wanted, position)), headers=_FOR_THE_ASKER)
    except EvidenceError:
        raise UnknownLeaf(kind, position) from None


@router.get(
    "/blobs/{name}",
    summary="Any file that a replay needs",
    response_class=FileResponse,
    responses={**problem_responses(UnknownBlob, *SIGNED), **_FILE},
)
def blob(name: Name, request: Request, mirror: Serving) -> Response:
    """Evidence, bodies, evaluation and root data, models, task and config, by the hash that the evidence names; for scorers.
    `Range: bytes=N-` goes on after N bytes.
    """
    mirror.admit(request, None, Access.SCORERS)
    if not mirror.library.blobs.has(bytes.fromhex(name[2:])):
        raise UnknownBlob(bytes.fromhex(name[2:]))
    return _file(mirror, name, _FOR_THE_ASKER)


@router.get(
    "/models/{model}",
    tags=["models"],
    summary="A model's safetensors file",
    response_class=FileResponse,
    responses={**problem_responses(UnknownModel), **_FILE},
)
def one_model(model: Name, mirror: Serving) -> Response:
    """A model that a round started from, or that a proposed or Final round ended with. Check its model hash."""
    if not mirror.library.is_public_model(bytes.fromhex(model[2:])):
        raise UnknownModel(bytes.fromhex(model[2:]))
    # Named by its content: whoever has it once never needs to ask again.
    return _file(mirror, model, {"Cache-Control": "public, max-age=31536000, immutable"})


@router.get(
    "/rounds/{number}/attestations",
    summary="The outcome that is claimed, and who signed it",
    responses={**problem_responses(UnknownRound, NotYetThere), **example(_CLAIM)},
)
def attestations(number: RoundNumber, mirror: Serving) -> AttestationsView:
    """Everything that `propose` takes: with the signatures of a quorum anyone may send it."""
    return _attestations(number, mirror.library)


def _attestations(number: int, library: Library) -> AttestationsView:
    claim = library.claim(number)
    return AttestationsView(
        round=number,
        seed=claim.seed,
        evidence_root=claim.evidence_root,
        scores=claim.scores,
        model=claim.model_hash,
        signatures=list(library.attestations(number)),
    )


@router.post(
    "/rounds/{number}/attestations",
    summary="Hand in an attestation",
    responses={**problem_responses(UnknownRound, NotYetThere, WrongAttestation, SignatureError), **example(_CLAIM)},
)
def attest(number: RoundNumber, request: ScorerSignature, mirror: Serving) -> AttestationsView:
    """A scorer's signature under the claimed outcome; the same one again changes nothing."""
    mirror.library.take_attestation(number, request.signature)
    return _attestations(number, mirror.library)


@router.get(
    "/rounds/{number}/expulsions/{node}",
    summary="Which scorers signed a node out",
    responses={**problem_responses(UnknownRound, UnknownNode, NotYetThere), **example(_EXPULSION)},
)
def expulsion(number: RoundNumber, node: NodeIndex, mirror: Serving) -> ExpulsionView:
    """The signatures that are here under the expulsion of a node for its reputation in a Final round. With as many as are
    `needed` anyone may send them; a scorer signs only what the round's evidence says.
    """
    return mirror.library.expulsion(number, node)


@router.post(
    "/rounds/{number}/expulsions/{node}",
    summary="Hand in a signature under an expulsion",
    responses={
        **problem_responses(UnknownRound, UnknownNode, NotYetThere, WrongExpulsion, SignatureError),
        **example(_EXPULSION),
    },
)
def expel(number: RoundNumber, node: NodeIndex, request: ScorerSignature, mirror: Serving) -> ExpulsionView:
    """A scorer's signature; the same one again changes nothing, and nobody signs because another one did."""
    mirror.library.take_expulsion(number, node, request.signature)
    return mirror.library.expulsion(number, node)


@router.get(
    "/rounds/{number}/double-updates",
    summary="Nodes that signed two Updates",
    responses={**problem_responses(UnknownRound), **example([_DOUBLE])},
)
def double_updates(number: RoundNumber, mirror: Serving) -> list[DoubleUpdateView]:
    """Both signed Updates of every node of which two different ones were seen here. Whoever sends them to the chain proves the
    fault; the node loses its stake, and the round stands.
    """
    return [view_of(double) for double in mirror.library.double_updates(number)]


def _file(mirror: Mirror, name: str, caching: dict[str, str]) -> Response:
    path = mirror.library.blobs.path(bytes.fromhex(name[2:]))
    if not path.is_file():
        raise BlobMissing(bytes.fromhex(name[2:]))
    headers = {**caching, "ETag": f'"{name.lower()}"'}
    return FileResponse(path, media_type=_MEDIA_TYPE, headers=headers)
