"""The client against a real HTTP server on this machine, which says what a test tells it to say."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import uvicorn
from eth_account import Account
from fastapi import FastAPI, Request

from protocol.api import NodeView, ReceiptView, Resource, RewardsView, RoundView, ScoresView, UploadView
from protocol.client import SALT_HEADER, FederationClient
from protocol.errors import EvidenceError, ServiceRefused, ServiceUnreachable, ServiceUnreadable
from protocol.evidence_json import evidence_to_json
from protocol.json_types import HexBytes
from protocol.requests import BODY_HASH_HEADER
from protocol.typed_data import Domain, Update
from tests.protocol import story
from tests.protocol.test_evidence import EVIDENCE
from tests.support.serving import answering

HASH = "0x" + "ab" * 32
OWNER = story.LEDGER


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


def said(document: object, status: int = 200) -> Answer:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status, content, (("Content-Length", str(len(content))),))


class Server(ThreadingHTTPServer):
    """Answers every request with `answer` and remembers it in `seen`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable[[], Answer] = lambda: said({})
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = self.server.answer()
        with contextlib.suppress(ConnectionError):  # a client may have given up by now
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = respond  # noqa: N815 because http.server looks for these names

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server(running: Server) -> Server:
    running.seen.clear()
    return running


@pytest.fixture
def client(server: Server) -> Iterator[FederationClient]:
    with FederationClient(server.url + "/") as client:
        yield client


ROUND = {
    "round": 7, "state": "open", "parent": 5, "inputs": HASH, "base_model": HASH, "parent_evidence": HASH, "shards": [HASH],
    "root_set": HASH, "opened_at": 1, "commit_deadline": 2, "commits": 0, "bodies": 0, "gas": "0", "minted": "0", "block": 9,
}  # fmt: skip
NODE = {
    "node": 5, "address": OWNER, "signer": OWNER, "payout": OWNER, "stake": str(10**18), "max_samples": 9, "unbonding_until": 0,
    "expelled": False, "eligible": True, "block": 9,
}  # fmt: skip
REWARDS = {
    "node": 5, "address": OWNER, "earned": str(10**24), "pending": "0", "pending_until": None, "claimable": "1",
    "claimable_rounds": [7], "claimed": "0", "slashed": "0", "last_round": 7, "block": 9,
}  # fmt: skip
SCORES = {
    "round": 7, "state": "final", "denominator": "27720", "utility_empty": "-1", "utility_all": str(1 << 70),
    "evaluation_samples": 100, "block": 9,
    "nodes": [
        {
            "node": 5, "address": OWNER, "samples": 9, "verdict": "accept", "reason": "ok", "sentence": "Used.", "next_step": "",
            "weight": 65536, "contribution": str(-(1 << 65)), "standard_error": "3", "sampling_error": "3",
            "estimation_error": "0", "score": 0, "reward": "0",
        },
    ],
}  # fmt: skip
FEDERATION = {
    "name": "Größen", "chain_id": 31337, "ledger": OWNER, "registry": OWNER, "token": OWNER, "token_symbol": "FSD",
    "pool": str(10**21), "config_hash": HASH, "task_hash": HASH, "last_round": 7, "latest_final": 5, "node_count": 3, "block": 9,
}  # fmt: skip
RECEIPT = {"round": 7, "node": 5, "leaf": HASH, "signature": "0x" + "cd" * 65}
UPLOAD = {"round": 7, "node": 5, "committed": True, "revealed": False}
HEALTH = {"status": "ok", "version": "0.1.0", "block": 9}

READS: list[tuple[Callable[[FederationClient], Resource | list], str, object]] = [
    (lambda c: c.health(), "/healthz", HEALTH),
    (lambda c: c.federation(), "/v1/federation", FEDERATION),
    (lambda c: c.config(), "/v1/federation/config", {"toml": story.CONFIG}),
    (lambda c: c.task(), "/v1/federation/task", {"entry": "Digits", "files": {"a/b.py": "pass\n"}}),
    (lambda c: c.rounds(), "/v1/rounds", [ROUND, ROUND]),
    (lambda c: c.round(7), "/v1/rounds/7", ROUND),
    (lambda c: c.scores(7), "/v1/rounds/7/scores", SCORES),
    (lambda c: c.nodes(), "/v1/nodes", [NODE]),
    (lambda c: c.node(5), "/v1/nodes/5", NODE),
    (lambda c: c.node(OWNER), f"/v1/nodes/{OWNER}", NODE),
    (lambda c: c.rewards(OWNER), f"/v1/nodes/{OWNER}/rewards", REWARDS),
    (lambda c: c.upload(7, 5), "/v1/rounds/7/updates/5", UPLOAD),
]
PATHS = [path for _, path, _ in READS]


@pytest.mark.parametrize(("read", "path", "document"), READS, ids=PATHS)
def test_every_resource_is_read_from_its_path_as_it_was_sent(client, server, read, path, document):
    server.answer = lambda: said(document)
    found = read(client)
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", path)]
    for one, sent in zip(found, document, strict=True) if isinstance(found, list) else [(found, document)]:
        assert one.model_dump(exclude_unset=True) == sent


def test_big_integers_and_bytes_are_typed(client, server):
    server.answer = lambda: said(SCORES)
    assert client.scores(7).nodes[0].contribution == -(1 << 65)
    server.answer = lambda: said(ROUND)
    assert client.round(7).inputs == b"\xab" * 32


def test_a_field_of_a_newer_service_is_ignored(client, server):
    server.answer = lambda: said({**HEALTH, "surprise": 1})
    assert client.health().status == "ok"


def test_a_commit_is_posted_and_answered_with_a_receipt(client, server):
    server.answer = lambda: said(RECEIPT, 201)
    update = Update(*story.signed_update(5)[:6])
    signature = update.sign(Domain(story.CHAIN_ID, story.LEDGER), Account.from_key(story.key("node 5")))
    receipt = client.commit(update, signature)
    assert receipt == ReceiptView(round=7, node=5, leaf=b"\xab" * 32, signature=b"\xcd" * 65)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/v1/rounds/7/updates")
    assert json.loads(seen.body) == {
        "inputs": "0x" + story.INPUTS.hex(),
        "node": 5,
        "base_model": "0x" + story.BASE_HASH.hex(),
        "parameters": "0x" + story.commitment_of(5).hex(),
        "samples": 105,
        "signature": "0x" + signature.hex(),
    }


def test_a_body_is_put_with_its_salt(client, server):
    server.answer = lambda: said({**UPLOAD, "revealed": True})
    body = bytes(range(256)) * 1000
    assert client.reveal(7, 5, b"s" * 32, body) == UploadView(round=7, node=5, committed=True, revealed=True)
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", "/v1/rounds/7/bodies/5", body)
    assert seen.headers[SALT_HEADER.lower()] == "0x" + (b"s" * 32).hex()
    assert seen.headers[BODY_HASH_HEADER.lower()] == "0x" + sha256(body).hexdigest()
    assert seen.headers["content-type"] == "application/octet-stream"


def test_an_answer_without_end_is_not_taken_into_memory(client, server):
    server.answer = lambda: said(bytes(2000))
    assert len(client._request("GET", "/", limit=2000).content) == 2000
    with pytest.raises(ServiceUnreadable, match="longer than 1999 bytes"):
        client._request("GET", "/", limit=1999)


def test_a_model_is_bytes_by_its_hash(client, server):
    server.answer = lambda: said(b"\x00\xffmodel")
    assert client.model(b"\xab" * 32) == b"\x00\xffmodel"
    assert server.seen[0].path == f"/v1/models/{HASH}"


def test_evidence_is_read_and_checked(client, server):
    server.answer = lambda: said(evidence_to_json(EVIDENCE))
    assert client.evidence(7) == EVIDENCE
    assert server.seen[0].path == "/v1/rounds/7/evidence"
    server.answer = lambda: said({**evidence_to_json(EVIDENCE), "root": HASH})
    with pytest.raises(EvidenceError, match="the header hashes to"):
        client.evidence(7)


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
def test_a_problem_is_refused_with_its_code_and_sentence(client, server, status: int):
    problem = {
        "type": "https://example.org/problems/no-such-round",
        "title": "No such round",
        "status": status,
        "detail": "Round 9 was never opened.",
    }
    server.answer = lambda: said(problem, status)
    with pytest.raises(ServiceRefused, match=r"no-such-round: Round 9 was never opened\.") as caught:
        client.round(9)
    assert (caught.value.status, caught.value.code) == (status, "no-such-round")


@pytest.mark.parametrize(
    ("status", "content"), [(502, b"<html>Bad gateway</html>"), (404, b'{"detail":"Not Found"}'), (500, b""), (307, b"\xff\xfe")]
)
def test_another_refusal_is_refused_too(client, server, status: int, content: bytes):
    server.answer = lambda: said(content, status)
    with pytest.raises(ServiceRefused, match=f"answered {status} not-a-problem") as caught:
        client.health()
    assert (caught.value.status, caught.value.code) == (status, "not-a-problem")


def test_a_refusal_is_not_printed_whole(client, server):
    server.answer = lambda: said(b"x" * 100_000, 500)
    with pytest.raises(ServiceRefused) as caught:
        client.health()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("read", "path", "_"), READS, ids=PATHS)
@pytest.mark.parametrize("content", [b"<html>welcome</html>", b"", b"{}", b"[1]", b"\xff"], ids=repr)
def test_another_program_at_the_url_is_told_from_an_aggregator(client, server, read, path, _, content: bytes):
    server.answer = lambda: said(content)
    with pytest.raises(ServiceUnreadable, match="did not answer as a fairshare aggregator does") as caught:
        read(client)
    assert caught.value.url == server.url + path


@pytest.mark.parametrize("content", [b"<html>", b"", b"\xff", b"[" * 100_000], ids=["html", "empty", "bytes", "nested"])
def test_evidence_that_is_not_json_is_unreadable(client, server, content: bytes):
    server.answer = lambda: said(content)
    with pytest.raises(ServiceUnreadable):
        client.evidence(7)


@pytest.mark.parametrize(
    "change", [{"stake": "1.5"}, {"stake": "9" * 5000}, {"node": "five"}, {"eligible": None}, {"max_samples": 1.5}]
)
def test_the_field_of_another_form_is_named(client, server, change: dict):
    server.answer = lambda: said({**NODE, **change})
    with pytest.raises(ServiceUnreadable, match=rf"\({next(iter(change))}: "):
        client.node(5)


def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused, and nobody else gets the port
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with FederationClient(url) as client, pytest.raises(ServiceUnreachable, match=f"no aggregator answers at {url}"):
            client.health()


@pytest.mark.parametrize("url", ["localhost:8000", "", "http://127.0.0.1:port", "ftp://127.0.0.1/"])
def test_what_is_no_url_is_unreachable(url: str):
    with pytest.raises(ServiceUnreachable, match="check the URL"), FederationClient(url) as client:
        client.health()


def test_an_answer_that_breaks_off_is_unreachable(client, server):
    server.answer = lambda: Answer(200, b'{"status"', (("Content-Length", "100"),))
    with pytest.raises(ServiceUnreachable):
        client.health()


def test_an_answer_in_another_coding_than_it_says_is_unreachable(client, server):
    server.answer = lambda: Answer(200, b"{}", (("Content-Length", "2"), ("Content-Encoding", "gzip")))
    with pytest.raises(ServiceUnreachable):
        client.health()


def test_a_server_that_is_silent_is_given_up(server):
    given_up = threading.Event()

    def answer() -> Answer:
        given_up.wait()
        return said(HEALTH)

    server.answer = answer
    with FederationClient(server.url, timeout=0.05) as client:
        try:
            with pytest.raises(ServiceUnreachable, match="timed out"):
                client.health()
        finally:
            given_up.set()


def test_an_idle_connection_is_let_go_before_the_service_closes_it(monkeypatch):
    """A request on a connection that the service is closing at that moment has no answer."""
    app, connections = FastAPI(), []

    @app.get("/healthz")
    def health(request: Request) -> dict[str, object]:
        connections.append(request.client)
        return HEALTH

    now = 0.0
    monkeypatch.setattr("httpcore._sync.http11.time", SimpleNamespace(monotonic=lambda: now))
    with answering(app) as url, FederationClient(url) as client:
        client.health()
        client.health()
        now = uvicorn.Config(app).timeout_keep_alive / 2
        client.health()
    first, second, third = connections
    assert first == second != third


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(server, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{taken.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        server.answer = lambda: said(HEALTH)
        with FederationClient(server.url) as client:
            assert client.health().block == 9
        with FederationClient("http://aggregator.example") as client, pytest.raises(ServiceUnreachable):
            client.health()


@pytest.mark.parametrize("kind", [RoundView, NodeView, RewardsView, ScoresView])
def test_resources_do_not_change(kind: type[Resource]):
    document = {RoundView: ROUND, NodeView: NODE, RewardsView: REWARDS, ScoresView: SCORES}[kind]
    resource = kind.model_validate(document)
    with pytest.raises(ValueError, match="frozen"):
        resource.block = 0  # type: ignore[attr-defined] # what is refused


def test_bytes_of_another_form_are_refused():
    class Holder(Resource):
        value: HexBytes

    assert Holder.model_validate({"value": "0x00ff"}).value == b"\x00\xff"
    assert Holder(value=b"\x00\xff").model_dump() == {"value": "0x00ff"}
    with pytest.raises(ValueError, match="hexadecimal"):
        Holder.model_validate({"value": "0xzz"})
