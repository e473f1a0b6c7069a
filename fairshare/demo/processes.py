"""The demo's processes: started in one place, watched, and all ended when the demo ends, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

_GRACE_SECONDS = 10.0
_STOPPING = (signal.SIGINT, signal.SIGTERM)
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class DemoError(Exception):
    """The demo cannot go on; the message says which process failed and where its log is."""


@dataclass
class Processes:
    """Child processes by name, each with a log file in `logs`."""

    logs: Path
    environment: dict[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start `python ARGUMENTS` in a process group of its own, so that a Ctrl-C at the terminal reaches the demo alone."""
        # One thread each: ten processes share this machine's cores.
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), **self.environment}
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 since the arguments are the demo's own
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

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
            if process.poll() is not None:
                tail = "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:])
                raise DemoError(f"{name} ended with code {process.returncode}; its log {self.logs / name}.log ends with\n{tail}")

    def stop(self) -> None:
        """End everything: politely, then not."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        end = time.monotonic() + _GRACE_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()


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
