"""`fairshare node` as a process of its own, as a person starts it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Self

from tests.support.chain import PASSPHRASE
from tests.support.processes import PATIENCE

COMMAND = [sys.executable, "-c", "from node.cli import app; app(prog_name='fairshare node')"]
ROOT = Path(__file__).parents[2]


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without anything of fairshare's, one BLAS thread, and the passphrase."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")}
    return {**clean, "FAIRSHARE_PASSPHRASE": PASSPHRASE, "OMP_NUM_THREADS": "1", "COLUMNS": "300", **extra}


class RunningNode:
    """`fairshare node run`, whose lines are read as they come."""

    def __init__(self, *arguments: str | Path, **extra: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "run", *map(str, arguments)],
            cwd=ROOT,
            env=environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def read_until(self, part: str) -> str:
        """The first line from here on with `part`; fails if the process ends before."""
        assert self.process.stdout is not None
        stream: IO[str] = self.process.stdout
        for line in stream:
            self.lines.append(line)
            if part in line:
                return line
        raise AssertionError(f"{part!r} is not in:\n{''.join(self.lines)}")

    def wait(self) -> int:
        """Read what is left and reap; the exit code, negative for a signal."""
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.lines.append(rest)
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """kill -9, if it still runs."""
        self.process.kill()
        self.process.communicate()
