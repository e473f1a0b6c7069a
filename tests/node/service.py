"""A small aggregator over real sockets: it serves the resources of protocol.api for a LocalFederation, honestly unless told.

`tamper` changes an answer, `on_request` is called before a request is served and `on_answer` after it; `down` and `up` close
and reopen the very port.
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from learning.source import TaskSource
from ledger.records import RoundState
from protocol.api import (
    ConfigView,
    FederationView,
    Health,
    NodeScore,
    Problem,
    ReceiptView,
    Resource,
    RewardsView,
    RoundView,
    ScoresView,
    TaskView,
    TermsView,
    UploadView,
)
from protocol.catalogue import VOIDS
from protocol.client import SALT_HEADER
from protocol.config import parse_config
from protocol.evidence import Kind, Leaf
from protocol.typed_data import Receipt
from tests.support.chain import LocalFederation, account

SHARDS, ROOT_SET = (b"\x05" * 32,), b"\x06" * 32


class Refused(Exception):
    """Answer with a problem."""

    def __init__(self, status: int, code: str) -> None:
        self.problem = Problem(
            type=f"https://fairshare.example/problems/{code}", title=code, status=status, detail=f"it is {code}"
        )


@dataclass
class Service:
    """What it serves, and what it has received: `commits` (round, node) → every commit's JSON as it came."""

    federation: LocalFederation
    config_toml: str
    task: TaskSource
    models: dict[bytes, bytes]
    commits: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    bodies: dict[tuple[int, int], list[tuple[str, bytes]]] = field(default_factory=dict)
    tamper: dict[str, Callable[[Any], Resource | bytes]] = field(default_factory=dict)
    on_request: dict[str, Callable[[], object]] = field(default_factory=dict)
    on_answer: dict[str, Callable[[], object]] = field(default_factory=dict)
    signer: str = "aggregator"
    later: list[str] = field(default_factory=list)  # texts of configs that are announced, or were enacted
    announced: TermsView | None = None

    def __post_init__(self) -> None:
        self.port = 0
        self._lock = threading.Lock()
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Serve, after `down` on the same port."""
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.service = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def down(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, body: bytes, salt: str) -> Resource | bytes:
        """The honest answer, then whatever the test has made of it."""
        key = f"{method} {path}"
        if (hook := self.on_request.get(key)) is not None:
            hook()
        with self._lock:
            for (wanted, pattern), handler in _ROUTES.items():
                if wanted == method and (match := re.fullmatch(pattern, path)):
                    answered = handler(self, *match.groups(), *((body, salt) if method != "GET" else ()))
                    self.on_answer.get(key, lambda: None)()
                    return answered if key not in self.tamper else self.tamper[key](answered)
        raise Refused(404, "unknown-page")

    def _health(self) -> Resource:
        return Health(status="ok", version="0", block=self.federation.client.block().number)

    def _federation(self) -> Resource:
        chain = self.federation.client
        return FederationView(
            name="test",
            chain_id=chain.domain.chain_id,
            ledger=chain.domain.ledger,
            registry=chain.registry_address,
            token=chain.token_address,
            token_symbol=chain.token_symbol(),
            pool=chain.pool(),
            config_hash=chain.config_hash(),
            task_hash=chain.task_hash(),
            announced=self.announced,
            last_round=chain.last_round(),
            latest_final=chain.latest_final(),
            node_count=chain.node_count(),
            block=chain.block().number,
        )

    def _config(self, name: str = "") -> Resource:
        known = {parse_config(toml).sha256(): toml for toml in (self.config_toml, *self.later)}
        return ConfigView(toml=known[bytes.fromhex(name) or self.federation.client.config_hash()])

    def _task(self, name: str = "") -> Resource:
        return TaskView(entry=self.task.entry, files=self.task.texts())

    def _round(self, text: str) -> Resource:
        chain, number = self.federation.client, int(text)
        found = chain.round(number)
        if found.state is RoundState.NONE:
            raise Refused(404, "unknown-round")
        parent = chain.round(found.parent)
        return RoundView(
            round=number,
            state=str(found.state).lower(),
            parent=found.parent,
            inputs=found.inputs,
            base_model=parent.model_hash,
            parent_evidence=parent.evidence_root,
            shards=list(SHARDS),
            root_set=ROOT_SET,
            opened_at=found.opened_at,
            commit_deadline=found.opened_at + chain.timing().commit,
            commits=0,
            bodies=0,
            gas=0,
            minted=0,
            reason="too-few-commits" if found.state is RoundState.VOID else None,
            sentence=VOIDS["too-few-commits"].sentence if found.state is RoundState.VOID else "",
            block=chain.block().number,
        )

    def _scores(self, text: str) -> Resource:
        chain, number = self.federation.client, int(text)
        found = chain.round(number)
        if found.state not in (RoundState.PROPOSED, RoundState.FINAL):
            raise Refused(404, "not-yet-there")
        nodes = [
            NodeScore(
                node=node,
                address=account(f"owner {node}").address,
                samples=1,
                verdict="accept",
                reason="ok",
                sentence="The update was used as it was sent.",
                next_step="",
                weight=1 << 16,
                contribution=(1 << 20) * 10,
                standard_error=1 << 20,
                sampling_error=1 << 20,
                estimation_error=0,
                score=chain.score(number, node),
                reward=chain.reward(number, node),
            )
            for (of, node) in self.bodies
            if of == number
        ]
        block = chain.block().number
        return ScoresView(
            round=number,
            state=str(found.state).lower(),
            denominator=1,
            utility_empty=0,
            utility_all=0,
            evaluation_samples=1000,
            nodes=nodes,
            block=block,
        )

    def _rewards(self, text: str) -> Resource:
        from node.earnings import earnings

        found = earnings(self.federation.client, int(text))
        return RewardsView(
            address=account(f"owner {text}").address,
            slashed=0,
            last_round=self.federation.client.last_round(),
            claimable_rounds=list(found.claimable_rounds),
            **{name: getattr(found, name) for name in ("node", "pending_until", "block")},
            **found.amounts,
        )

    def _model(self, digest: str) -> bytes:
        try:
            return self.models[bytes.fromhex(digest)]
        except KeyError:
            raise Refused(404, "unknown-model") from None

    def _upload(self, number: str, node: str) -> Resource:
        key = (int(number), int(node))
        return UploadView(round=key[0], node=key[1], committed=key in self.commits, revealed=key in self.bodies)

    def _commit(self, text: str, body: bytes, _salt: str) -> Resource:
        number, told = int(text), json.loads(body)
        hexes = {name: bytes.fromhex(told[name][2:]) for name in ("inputs", "base_model", "parameters", "signature")}
        node = told["node"]
        held = self.commits.setdefault((number, node), [])
        if not held and self.federation.client.round(number).state is not RoundState.OPEN:
            raise Refused(409, "too-late")
        held.append(body)
        values = (number, hexes["inputs"], node, hexes["base_model"], hexes["parameters"], told["samples"], hexes["signature"])
        leaf = Leaf(Kind.UPDATE, node, values).hash(self.federation.client.domain.separator)
        signature = Receipt(number, node, leaf).sign(self.federation.client.domain, account(self.signer))
        return ReceiptView(round=number, node=node, leaf=leaf, signature=signature)

    def _reveal(self, number: str, node: str, body: bytes, salt: str) -> Resource:
        key = (int(number), int(node))
        if self.federation.client.round(key[0]).state is not RoundState.CLOSED:
            raise Refused(409, "too-early")
        self.bodies.setdefault(key, []).append((salt, body))
        return UploadView(round=key[0], node=key[1], committed=True, revealed=True)


_ROUTES: dict[tuple[str, str], Callable[..., Resource | bytes]] = {
    ("GET", "/healthz"): Service._health,
    ("GET", "/v1/federation"): Service._federation,
    ("GET", "/v1/federation/config"): Service._config,
    ("GET", r"/v1/federation/config\?hash=0x([0-9a-f]{64})"): Service._config,
    ("GET", "/v1/federation/task"): Service._task,
    ("GET", r"/v1/federation/task\?hash=0x([0-9a-f]{64})"): Service._task,
    ("GET", r"/v1/rounds/(\d+)"): Service._round,
    ("GET", r"/v1/rounds/(\d+)/scores"): Service._scores,
    ("GET", r"/v1/rounds/(\d+)/updates/(\d+)"): Service._upload,
    ("GET", r"/v1/nodes/(\d+)/rewards"): Service._rewards,
    ("GET", r"/v1/models/0x([0-9a-f]{64})"): Service._model,
    ("POST", r"/v1/rounds/(\d+)/updates"): Service._commit,
    ("PUT", r"/v1/rounds/(\d+)/bodies/(\d+)"): Service._reveal,
}


class _Server(ThreadingHTTPServer):
    service: Service
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            answered = self.server.service.answer(self.command, self.path, body, self.headers.get(SALT_HEADER, ""))
            status = 200
        except Refused as refused:
            answered, status = refused.problem, refused.problem.status
        content = answered if isinstance(answered, bytes) else answered.model_dump_json().encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the node was killed meanwhile
            pass

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 since http.server names them so

    def log_message(self, *_: object) -> None:
        """Say nothing."""
