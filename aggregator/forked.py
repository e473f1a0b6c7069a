"""Processes that are ready at once: forked from Python's fork server, which has imported what takes seconds and nothing else.

Each is as fresh as a new `python`: nothing that its parent did is in it, unlike in a fork of that, which would also have the
threads and locks of a web server in any state.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

preload = _CONTEXT.set_forkserver_preload
"""Name the modules that the fork server imports; heeded if it is not running yet."""

preload(["aggregator.assembly", "aggregator.bundles", "aggregator.evaluation.round", "aggregator.scorer.__main__"])


def start(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Run a function of a module, given what pickle can carry, in a new process. That has one thread to calculate with."""
    # Libraries read these when they are loaded. Processes share the cores, and sums in one thread are reproducible.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    process = _CONTEXT.Process(target=_begin, args=(target, arguments))
    # The server inherits this: a Ctrl-C at the terminal, which all hear, would end it with a traceback while it imports.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def make_ready() -> None:
    """Wait for the server's imports, so that the next `start` takes no time in which its caller could be stopped."""
    start(_nothing).join()


def _nothing() -> None:
    pass


def _begin(target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # Our parent's stdout is for its result; whatever is printed here belongs to the log.
    os.dup2(2, 1)
    target(*arguments)
