"""Runs a page as its reader would: every command in it, in order, for real.

A command is a line that starts with `$ ` in a console block, or with `fairshare ` in an indented one. What a reader knows without
being told stands in the page as a comment that is not shown:

    <!-- test: edit federation/federation.toml minimum_commits=1 window_seconds=2 -->     what the page calls "edit it"
    <!-- test: wait for round 1 of federation -->                                         "after the first round"

A block of another language whose first line is a comment with a file name is that file. Commands that run until Ctrl-C run
until the page ends. Words in CAPITALS that end in _ADDRESS are taken from what the commands before have printed: the last
address in a row that begins with the word, such as `operator 0x…`. The ports of the page are replaced by free ones.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from aggregator.template import with_values
from protocol.client import FederationClient
from protocol.errors import ServiceError
from tests.support.processes import PATIENCE
from tests.support.warm import fairshare

_RUNS_ON = re.compile(r"fairshare (ledger chain|aggregator serve|node run|scorer serve)\b")
_STEP = re.compile(
    r"^<!-- test: (?P<hidden>.*?) -->$|^```(?P<language>\w+)\n(?P<block>.*?)^```$|^    (?P<indented>fairshare [^\n]*)$",
    re.DOTALL | re.MULTILINE,
)


class Step(NamedTuple):
    """`kind`: "run" a command, "file" to be written, or one of the hidden ones, "edit" and "wait"."""

    kind: str
    text: str


def steps(page: str) -> Iterator[Step]:
    """What the page has its reader do, in order."""
    for found in _STEP.finditer(page):
        if found["hidden"]:
            kind, text = found["hidden"].split(maxsplit=1)
            yield Step(kind, text)
        elif found["indented"]:
            yield Step("run", found["indented"].partition("  #")[0].strip())
        elif found["language"] == "console":
            for line in re.sub(r"\\\n\s*", "", found["block"]).splitlines():
                if line.startswith("$ "):
                    yield Step("run", line[2:].partition("  #")[0].strip())
        elif re.match(r"# \S+\.\w+\n", found["block"]):
            yield Step("file", found["block"])


class Reader:
    """Somebody at a terminal in an empty directory, following a page."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.done: list[str] = []
        self._known: dict[str, str] = {}
        self._running: list[tuple[str, subprocess.Popen[str]]] = []
        self._ports = {"8545": _free_port(), "8700": _free_port()}
        scripts = str(Path(sys.executable).parent)
        self._environment = {
            **os.environ,
            "HOME": str(directory),
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "FAIRSHARE_PASSPHRASE": "of the reader",
            "FAIRSHARE_RPC_URL": f"http://127.0.0.1:{self._ports['8545']}",
            "FAIRSHARE_AGGREGATOR_PORT": self._ports["8700"],
            "COLUMNS": "200",
        }

    def follow(self, page: str) -> None:
        """Do everything; fails with what a command printed, if one does not end well."""
        for step in steps(page):
            getattr(self, f"_{step.kind}")(step.text)

    def stop(self) -> None:
        """Ctrl-C in every terminal."""
        for _, process in reversed(self._running):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for _, process in self._running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()

    def _run(self, command: str) -> None:
        command = re.sub(r"\b([A-Z]+)_ADDRESS\b", lambda word: self._address(word[1].lower()), command)
        command = re.sub(r"\b(8545|8700)\b", lambda port: self._ports[port[1]], command)
        self.done.append(command)
        if _RUNS_ON.match(command):
            self._start(command)
            return
        end = self._ends(command)
        assert end.returncode == 0, f"$ {command}\n{end.stdout}{end.stderr}{self._logs()}"
        for row in re.findall(r"^\W*(\w+).*?(0x[0-9a-fA-F]{40})\W*$", end.stdout, re.MULTILINE):
            self._known[row[0].lower()] = row[1]

    def _ends(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Who has no terminal to accept terms at does so by the option that is named."""
        if command.startswith("fairshare "):
            end = fairshare(command, self.directory, self._environment)
        else:
            end = subprocess.run(
                command, shell=True, cwd=self.directory, env=self._environment, capture_output=True, text=True, check=False
            )
        named = re.search(r"again with (--accept-terms [0-9a-f]+)", end.stderr)
        return end if named is None or "--accept-terms" in command else self._ends(f"{command} {named[1]}")

    def _start(self, command: str) -> None:
        if command.startswith("fairshare ledger chain") and "--port" not in command:
            command += f" --port {self._ports['8545']}"
        log = self.directory / f"terminal-{len(self._running)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._running.append((command, process))
        if "node run" not in command:
            port = self._ports["8545" if "ledger chain" in command else "8700"]
            self._until(lambda: _answers(int(port)), f"{command} to listen")

    def _file(self, text: str) -> None:
        name = text.split("\n", 1)[0].removeprefix("# ").strip()
        (self.directory / name).write_text(text)

    def _edit(self, text: str) -> None:
        name, *changes = text.split()
        path = self.directory / name
        pairs = (change.split("=", 1) for change in changes)
        values = {key: int(value) if value.isdigit() else value.strip('"') for key, value in pairs}
        path.write_text(with_values(path.read_text(), values))

    def _wait(self, text: str) -> None:
        number = int(text.split()[2])  # for round 1 of federation

        def final() -> bool:
            try:
                return client.round(number).state == "final"
            except ServiceError:  # it has not opened yet
                return False

        with FederationClient(f"http://127.0.0.1:{self._ports['8700']}") as client:
            self._until(final, f"round {number} to be final", pause=0.5)

    def _until(self, ready: Callable[[], bool], what: str, pause: float = 0.1) -> None:
        end = time.monotonic() + PATIENCE
        while not ready():
            ended = [command for command, process in self._running if process.poll() is not None]
            assert not ended, f"{ended} ended\n{self._logs()}"
            assert time.monotonic() < end, f"waited in vain for {what}\n{self._logs()}"
            time.sleep(pause)

    def _address(self, word: str) -> str:
        assert word in self._known, f"nothing has printed the address of {word}, only those of {sorted(self._known)}"
        return self._known[word]

    def _logs(self) -> str:
        logs = (log.read_text(errors="replace")[-1500:] for log in sorted(self.directory.glob("terminal-*.log")))
        return "\n---\n".join(logs)


@contextmanager
def reader(directory: Path) -> Iterator[Reader]:
    """A reader whose processes all end."""
    person = Reader(directory)
    try:
        yield person
    finally:
        person.stop()


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
