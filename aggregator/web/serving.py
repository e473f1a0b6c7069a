"""Serving an application on one socket until a signal says that it is over, without uvicorn's own signal handlers."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from aggregator.errors import CannotListen

_BACKLOG = 128
_GRACE_SECONDS = 5
"""How long an upload under way may keep the service from ending."""


class _PoliteServer(uvicorn.Server):
    """uvicorn without its own signal handlers: it would end the process before ours have put things in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def polite_server(app: FastAPI) -> uvicorn.Server:
    """A server for the application; `run(sockets=[…])` returns after `should_exit` was set."""
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE_SECONDS)
    return _PoliteServer(config)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(host, port, error.strerror or str(error)) from error
    with listener:
        yield listener


@contextmanager
def signals_end(server: uvicorn.Server) -> Iterator[None]:
    """SIGINT and SIGTERM end the server politely, a second one at once."""

    def end(number: int, frame: FrameType | None) -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
