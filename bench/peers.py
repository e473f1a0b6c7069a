"""The peers' side: scripts that run in bench/.venv, with their own numpy, and talk by lines of JSON on stdin and stdout.

A script of the peers' side imports nothing of fairshare.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).parent / ".venv" / "bin" / "python"


class PeerError(Exception):
    """The peers' environment is missing, or a script in it failed; its own words are on stderr."""


class Peer:
    """One running script of the peers' side."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def send(self, message: object) -> None:
        """Send one message: anything that JSON can carry."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerError(f"the peer ended with exit code {self._process.wait()}") from error

    def receive(self) -> Any:
        """The peer's next message. Raises `PeerError` if it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"the peer ended with exit code {self._process.wait()}")
        return json.loads(line)


@contextmanager
def peer(script: Path, *arguments: str) -> Iterator[Peer]:
    """Run `script` in the peers' environment for as long as the block lasts."""
    command = _command(script, arguments)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()


def run(script: Path, *arguments: str) -> None:
    """Run `script` in the peers' environment to its end. Raises `PeerError` if it fails."""
    code = subprocess.run(_command(script, arguments), check=False).returncode
    if code:
        raise PeerError(f"{script.name} ended with exit code {code}")


def _command(script: Path, arguments: tuple[str, ...]) -> list[str]:
    if not PYTHON.exists():
        raise PeerError("the peers are not installed: run `make bench/.venv/ready`")
    return [str(PYTHON), "-W", "ignore", str(script), *arguments]
