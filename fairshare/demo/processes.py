"""The demo's processes: started in one place, watched, and all ended when the demo ends, however it ends."""

import os
import runpy
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from aggregator import forked

_T = TypeVar("_T")

_GRACE_SECONDS = 10.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)

IMPORTED = (
    "aggregator.evaluation.round",
    "aggregator.founding",
    "aggregator.scorer.__main__",
    "aggregator.service.server",
    "fairshare.app",
    "fairshare.demo.tampering",
    "ledger.chain.server",
    "node.enrolment",
    "node.runner",
    "node.training",
)
"""What the processes of a federation import, web3 and torch above all: once for all of them."""

forked.preload([*IMPORTED])


class DemoError(Exception):
    """The demo cannot go on; the message says which process failed and where its log is."""


@dataclass
class Processes:
    """Child processes by name, each with a log file in `logs`."""

    logs: Path
    environment: dict[str, str]
    _running: dict[str, BaseProcess] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start what `python -m MODULE ARGUMENTS` runs, in a session of its own: a Ctrl-C at the terminal reaches the demo."""
        log = self.logs / f"{name}.log"
        log.touch()
        # Stopped while this takes seconds, for the first, the demo would not know of it, nor end it.
        forked.make_ready()
        self._running[name] = forked.start(_run, module, arguments, self.environment, log)

    def wait_for(self, what: str, ready: Callable[[], _T | None], seconds: float, pause: float = 0.1) -> _T:
        """Poll every `pause` seconds until `ready` gives something. Raises `DemoError` if a process ends, or after `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = ready()
            if found is not None:
                return found
            self.check()
            time.sleep(pause)
        raise DemoError(f"{what} did not happen within {seconds:.0f} seconds: see the logs in {self.logs}")

    def check(self) -> None:
        """Raise `DemoError` with the end of its log if a process has ended."""
        for name, process in self._running.items():
            if process.exitcode is not None:
                tail = "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:])
                raise DemoError(f"{name} ended with code {process.exitcode}; its log {self.logs / name}.log ends with\n{tail}")

    def stop(self) -> None:
        """End everything: politely, then not."""
        for process in self._running.values():
            process.terminate()
        end = time.monotonic() + _GRACE_SECONDS
        for process in self._running.values():
            process.join(max(0.0, end - time.monotonic()))
            process.kill()
            process.join()
        self._running.clear()


def _run(module: str, arguments: Sequence[str], environment: dict[str, str], log: Path) -> None:
    os.setsid()
    opened = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


@contextmanager
def all_ended(processes: Processes) -> Iterator[None]:
    """End every process on the way out, whether the demo is done, failed, or was told to stop by SIGINT or SIGTERM."""

    def interrupt(number: int, frame: object) -> None:
        # From here on, further signals must not leave half of them running.
        for stopping in _STOPPING:
            signal.signal(stopping, signal.SIG_IGN)
        raise KeyboardInterrupt

    # Set even where SIGINT came in ignored, as it does for a shell's background jobs.
    before = {stopping: signal.signal(stopping, interrupt) for stopping in _STOPPING}
    try:
        yield
    finally:
        for stopping in _STOPPING:
            signal.signal(stopping, signal.SIG_IGN)
        processes.stop()
        for stopping, handler in before.items():
            signal.signal(stopping, handler)
