"""Serving the local chain: JSON-RPC 2.0 over HTTP on 127.0.0.1, one request of the engine at a time."""

import json
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ledger.chain.engine import LOCAL_CHAIN_ID, Engine, system_clock
from ledger.chain.faucet import FaucetFile, faucet_path
from ledger.chain.methods import Methods, RpcError
from ledger.errors import PortInUse

HOST = "127.0.0.1"
DEFAULT_PORT = 8545

_PARSE_ERROR, _INVALID_REQUEST, _INTERNAL_ERROR = -32700, -32600, -32603
_GRACE_SECONDS = 5
_IDLE_SECONDS = 120
"""geth's figure too. web3 keeps idle connections without end: one closed as it asks again costs it the answer."""

_log = logging.getLogger(__name__)


class JsonRpc:
    """JSON-RPC 2.0 (jsonrpc.org/specification) over the method table, batches included."""

    def __init__(self, engine: Engine):
        self._methods = Methods(engine)
        self._lock = threading.Lock()

    def answer(self, body: bytes) -> bytes:
        """Answer one request or a batch; empty when nothing in it wants an answer (notifications)."""
        try:
            # Not the standard library's parser: py-evm raises the recursion limit so far that deep nesting would end it.
            request = from_json(body)
        except ValueError as error:
            return _encoded(_failure(None, RpcError(_PARSE_ERROR, f"not JSON: {error}")))
        if isinstance(request, list) and request:
            answers = [answer for one in request if (answer := self._one(one)) is not None]
            return _encoded(answers) if answers else b""
        answer = self._one(request)
        return b"" if answer is None else _encoded(answer)

    def _one(self, request: object) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(method := request.get("method"), str):
            return _failure(None, RpcError(_INVALID_REQUEST, "not a request: an object with a method is wanted"))
        request_id = request.get("id")
        params = request.get("params") or []
        try:
            if not isinstance(params, list):
                raise RpcError(_INVALID_REQUEST, "parameters go by position, in a list")
            with self._lock:
                answer = {"jsonrpc": "2.0", "id": request_id, "result": self._methods.answer(method, params)}
        except RpcError as error:
            answer = _failure(request_id, error)
        except Exception as error:
            # A defect of ours, or a full disk: the client gets an answer, the operator the traceback.
            _log.exception("the local chain failed at %s", method)
            answer = _failure(request_id, RpcError(_INTERNAL_ERROR, f"internal error: {error!r}"))
        return answer if "id" in request else None


def create_app(engine: Engine) -> FastAPI:
    """Build the web application: POST to / and nothing else."""
    app = FastAPI(openapi_url=None)
    # A page in a browser must not reach the chain: not under a name that it made resolve to this machine, and (by the
    # content type, for which browsers ask first) not by posting a form.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    rpc = JsonRpc(engine)

    @app.post("/")
    async def answer(request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return Response("send JSON-RPC as application/json", status_code=415, media_type="text/plain")
        return Response(await run_in_threadpool(rpc.answer, await request.body()), media_type="application/json")

    return app


class ChainServer:
    """A local chain being served: `run()` until stopped, or as a context manager in a thread.

    Opening creates the database and the faucet's file next to it when they are not there. `clock` gives the seconds
    since 1970; tests pass their own.

    Raises:
        DatabaseInUse, NotAChainDatabase, WrongChain: as `Engine`.
        PortInUse: something else listens on the port.
    """

    def __init__(
        self,
        database: Path,
        port: int = DEFAULT_PORT,
        chain_id: int = LOCAL_CHAIN_ID,
        alloc: Mapping[str, int] | None = None,
        clock: Callable[[], int] = system_clock,
    ):
        self._engine = Engine(database, chain_id, alloc, clock)
        try:
            FaucetFile.of(self._engine).write(faucet_path(database))
            self._socket = _listening(port)
        except BaseException:  # Ctrl-C too, as in the engine
            self._engine.close()
            raise
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self._engine),
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    def run(self) -> None:
        """Serve until `stop()`, then close the database."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._engine.close()

    def stop(self) -> None:
        """Make `run()` return once the requests under way are answered; callable from anywhere."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="local chain")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()


def serve_chain(
    database: Path,
    port: int = DEFAULT_PORT,
    chain_id: int = LOCAL_CHAIN_ID,
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the chain in `database` on 127.0.0.1 until SIGINT or SIGTERM; the main thread of a process runs this.

    `port` 0 takes any free one. `announce` gets the URL as soon as requests are accepted.

    Raises:
        DatabaseInUse, NotAChainDatabase, PortInUse, WrongChain: as `ChainServer`.
    """
    server = ChainServer(database, port, chain_id)
    with _stopped_by_signals(server):
        announce(server.url)
        server.run()


@contextmanager
def _stopped_by_signals(server: ChainServer) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a clean stop; uvicorn raises them again after its own shutdown, and they end here."""

    def stop(number: int, frame: FrameType | None) -> None:
        server.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listening(port: int) -> socket.socket:
    """Return a socket that queues connections from now on, so that a URL is good as soon as it is known."""
    # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(port, error.strerror or str(error)) from error
    return listener


def _failure(request_id: object, error: RpcError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return {"jsonrpc": "2.0", "id": request_id, "error": body}


def _encoded(answer: object) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
