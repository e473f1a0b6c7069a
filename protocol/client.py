"""The typed HTTP client of the aggregator's REST API, used by node, CLI and tests."""

from collections.abc import Iterator
from functools import cache
from ssl import SSLContext
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import TypeAdapter, ValidationError

from protocol.api import (
    AttestationsView,
    CommitRequest,
    ConfigView,
    ContributionsView,
    DoubleUpdateView,
    EventsView,
    ExpulsionView,
    FederationView,
    Health,
    NodeView,
    Problem,
    ReceiptView,
    Resource,
    RewardsView,
    RoundView,
    ScorerSignature,
    ScoresView,
    TaskView,
    UploadView,
)
from protocol.errors import ServiceRefused, ServiceUnreachable, ServiceUnreadable
from protocol.evidence import Evidence, Kind
from protocol.evidence_json import evidence_from_json
from protocol.openings import Opening, opening_from_json
from protocol.requests import BODY_HASH_HEADER, NO_BODY, RequestSigner
from protocol.typed_data import Update
from protocol.update import body_hash

SALT_HEADER = "Fairshare-Salt"
SAMPLES_HEADER = "Fairshare-Samples"
UPDATE_HEADER = "Fairshare-Update-Signature"

ANSWER_BYTES = 1 << 28
"""The most that is taken into memory of one answer: several times the largest honest one, the evidence of a full round."""

MODEL_BYTES = 1 << 32
"""The most that is taken of a model."""

_IDLE = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)
"""httpx's limits, but an idle connection is let go before any usual server does (uvicorn after 5 s, httpx's own figure too):
a request that crosses with the server's closing would be lost without an answer (RFC 9112, section 9.5)."""

# A proxy named by the environment cannot reach this machine's own loopback: such URLs go there directly.
_LOOPBACK: dict[str, None] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}


@cache
def _trusted() -> SSLContext:
    """Whom HTTPS trusts. Reading that takes 50 ms, and a process makes many clients."""
    return httpx.create_ssl_context()


_R = TypeVar("_R", bound=Resource)
_T = TypeVar("_T")


class FederationClient:
    """The API of an aggregator, or the part of it that a scorer's mirror serves.

    With a `signer` every request for evidence and scores is signed by it, and shows what its key may see.

    Every method raises `ServiceUnreachable`, `ServiceRefused` (with the problem's code) or `ServiceUnreadable`.
    """

    def __init__(self, url: str, timeout: float = 30.0, signer: RequestSigner | None = None) -> None:
        self.url = url.rstrip("/")
        self._signer = signer
        try:
            self._http = httpx.Client(base_url=self.url, timeout=timeout, limits=_IDLE, mounts=_LOOPBACK, verify=_trusted())
        except httpx.InvalidURL as error:
            raise ServiceUnreachable(self.url, str(error)) from error

    def __enter__(self) -> "FederationClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def health(self) -> Health:
        """Whether the service is up."""
        return self._get("/healthz", Health)

    def federation(self) -> FederationView:
        """What this federation is."""
        return self._get("/v1/federation", FederationView)

    def config(self, config_hash: bytes | None = None) -> ConfigView:
        """The federation's config in force, or the one with this hash, unverified: hash it."""
        return self._get(f"/v1/federation/config{_named(config_hash)}", ConfigView)

    def task(self, task_hash: bytes | None = None) -> TaskView:
        """The source of the task in force, or of the one with this hash, unverified: hash it before running it."""
        return self._get(f"/v1/federation/task{_named(task_hash)}", TaskView)

    def rounds(self) -> list[RoundView]:
        """All rounds, newest first."""
        return self._read(TypeAdapter(list[RoundView]), self._request("GET", "/v1/rounds"))

    def round(self, number: int) -> RoundView:
        """One round."""
        return self._get(f"/v1/rounds/{number}", RoundView)

    def scores(self, number: int) -> ScoresView:
        """Verdicts, contributions, scores and rewards of a proposed or Final round; to a member with the numbers behind them."""
        return self._read(TypeAdapter(ScoresView), self._signed("GET", f"/v1/rounds/{number}/scores"))

    def evidence(self, number: int) -> Evidence:
        """The leaves of a round's evidence that the signer may see; raises `EvidenceError` if it is not well-formed."""
        return evidence_from_json(self._read(TypeAdapter(Any), self._signed("GET", f"/v1/rounds/{number}/evidence")))

    def opening(self, number: int, kind: Kind, position: int) -> Opening:
        """One leaf with its siblings, unverified: `check_opening`. Raises `EvidenceError` if it is not well-formed."""
        response = self._signed("GET", f"/v1/rounds/{number}/evidence/{kind.name.lower()}/{position}")
        return opening_from_json(self._read(TypeAdapter(Any), response))

    def blob(self, name: bytes, offset: int = 0) -> Iterator[bytes]:
        """The chunks of any file that a replay needs from byte `offset` on, unverified; for scorers."""
        path = f"/v1/blobs/0x{name.hex()}"
        headers = self._signature("GET", path) | ({"Range": f"bytes={offset}-"} if offset else {})
        try:
            with self._http.stream("GET", path, headers=headers) as response:
                if offset and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return  # there are no more bytes
                if not response.is_success:
                    raise _refused(httpx.Response(response.status_code, content=_bounded(response, ANSWER_BYTES)))
                if offset and response.status_code != httpx.codes.PARTIAL_CONTENT:
                    raise ServiceUnreadable(str(response.url), "it does not resume a download")
                yield from response.iter_bytes()
        except httpx.RequestError as error:
            raise ServiceUnreachable(self.url, str(error) or type(error).__name__) from error

    def attestations(self, number: int) -> AttestationsView:
        """The outcome that is claimed for a round, and the scorers' signatures so far."""
        return self._get(f"/v1/rounds/{number}/attestations", AttestationsView)

    def attest(self, number: int, signature: bytes) -> None:
        """Hand in a scorer's attestation."""
        self._request("POST", f"/v1/rounds/{number}/attestations", json=ScorerSignature(signature=signature).model_dump())

    def expulsion(self, number: int, node: int) -> ExpulsionView:
        """The scorers' signatures so far under the expulsion of a node for a Final round."""
        return self._get(f"/v1/rounds/{number}/expulsions/{node}", ExpulsionView)

    def expel(self, number: int, node: int, signature: bytes) -> None:
        """Hand in a scorer's signature under the expulsion of a node."""
        path = f"/v1/rounds/{number}/expulsions/{node}"
        self._request("POST", path, json=ScorerSignature(signature=signature).model_dump())

    def double_updates(self, number: int) -> list[DoubleUpdateView]:
        """The nodes that signed two Updates of a round, and both of them, unverified."""
        return self._read(TypeAdapter(list[DoubleUpdateView]), self._request("GET", f"/v1/rounds/{number}/double-updates"))

    def nodes(self) -> list[NodeView]:
        """All participants, by index."""
        return self._read(TypeAdapter(list[NodeView]), self._request("GET", "/v1/nodes"))

    def node(self, node: int | str) -> NodeView:
        """One participant, by index or owner address."""
        return self._get(f"/v1/nodes/{node}", NodeView)

    def rewards(self, node: int | str) -> RewardsView:
        """What a participant earned, by index or owner address."""
        return self._get(f"/v1/nodes/{node}/rewards", RewardsView)

    def contributions(self, node: int | str) -> ContributionsView:
        """What a participant contributed, round by round and in total, by index or owner address."""
        return self._get(f"/v1/nodes/{node}/contributions", ContributionsView)

    def model(self, sha256: bytes) -> bytes:
        """The safetensors file of a model by its model hash, unverified."""
        return self._request("GET", f"/v1/models/0x{sha256.hex()}", limit=MODEL_BYTES).content

    def events(self, after: str = "", limit: int = 100, **only: str | int) -> EventsView:
        """Events of the contracts after a position, oldest first; `only` those of a `name`, a `round` or a `node`."""
        return self._get(f"/v1/events?{urlencode({'after': after, 'limit': limit, **only})}", EventsView)

    def commit(self, update: Update, signature: bytes) -> ReceiptView:
        """Hand in a signed Update; the same one again gives the same receipt."""
        body = CommitRequest(
            inputs=update.inputs,
            node=update.node,
            base_model=update.base_model,
            parameters=update.parameters,
            samples=update.samples,
            signature=signature,
        )
        response = self._request("POST", f"/v1/rounds/{update.round}/updates", json=body.model_dump())
        return self._read(TypeAdapter(ReceiptView), response)

    def upload(self, number: int, node: int) -> UploadView:
        """What the aggregator holds of this node in this round: how a restarted node finds out where it was."""
        return self._get(f"/v1/rounds/{number}/updates/{node}", UploadView)

    def hand_over(self, update: Update, signature: bytes, salt: bytes, body: bytes) -> UploadView:
        """Give a body that the aggregator did not take to a scorer, or forward it as a scorer: with what shows whose it is."""
        path = f"/v1/rounds/{update.round}/bodies/{update.node}"
        headers = self._signature("PUT", path, body_hash(body)) | _body_headers(salt, body)
        headers |= {SAMPLES_HEADER: str(update.samples), UPDATE_HEADER: "0x" + signature.hex()}
        return self._read(TypeAdapter(UploadView), self._request("PUT", path, content=body, headers=headers))

    def reveal(self, number: int, node: int, salt: bytes, body: bytes) -> UploadView:
        """Upload the body that opens the node's commitment; the same one again is accepted and changes nothing."""
        path = f"/v1/rounds/{number}/bodies/{node}"
        response = self._request("PUT", path, content=body, headers=_body_headers(salt, body))
        return self._read(TypeAdapter(UploadView), response)

    def _get(self, path: str, resource: type[_R]) -> _R:
        return self._read(TypeAdapter(resource), self._request("GET", path))

    def _read(self, form: TypeAdapter[_T], response: httpx.Response) -> _T:
        try:
            return form.validate_json(response.content)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(map(str, fault["loc"])) or "body"
            raise ServiceUnreadable(str(response.url), f"{where}: {fault['msg']}") from error

    def _request(self, method: str, path: str, limit: int = ANSWER_BYTES, **arguments: Any) -> httpx.Response:
        try:
            with self._http.stream(method, path, **arguments) as response:
                answer = httpx.Response(response.status_code, content=_bounded(response, limit), request=response.request)
        except httpx.RequestError as error:
            raise ServiceUnreachable(self.url, str(error) or type(error).__name__) from error
        if answer.is_success:
            return answer
        raise _refused(answer)

    def _signed(self, method: str, path: str) -> httpx.Response:
        return self._request(method, path, headers=self._signature(method, path))

    def _signature(self, method: str, path: str, body_hash: bytes = NO_BODY) -> dict[str, str]:
        return {} if self._signer is None else self._signer.headers(method, path, body_hash)


def _bounded(response: httpx.Response, limit: int) -> bytes:
    """All of an answer. Raises `ServiceUnreadable` once it is longer than this."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > limit:
            raise ServiceUnreadable(str(response.url), f"it is longer than {limit} bytes")
    return bytes(content)


def _body_headers(salt: bytes, body: bytes) -> dict[str, str]:
    """What shows whose body follows, before a byte of it is taken."""
    return {
        SALT_HEADER: "0x" + salt.hex(),
        BODY_HASH_HEADER: "0x" + body_hash(body).hex(),
        "Content-Type": "application/octet-stream",
    }


def _named(name: bytes | None) -> str:
    return "" if name is None else f"?hash=0x{name.hex()}"


def _refused(response: httpx.Response) -> ServiceRefused:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return ServiceRefused(response.status_code, "not-a-problem", response.text[:200])
    return ServiceRefused(problem.status, problem.type.rsplit("/", 1)[-1], problem.detail)
