"""Ctrl-C at many points of real processes: each ends at once, in order, by a sentence and exit code 130, or 0 if it served.

The points are events, not times: a module is being imported, a prompt is shown, a server is asked, a service has begun.
"""

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ledger.wallet import Wallet
from node.home import NodeHome
from protocol.invitation import invitation_file
from protocol.typed_data import Domain, Invitation
from tests.support.chain import PASSPHRASE, account
from tests.support.nodes import finished_home
from tests.support.processes import PATIENCE

ROOT = Path(__file__).parents[2]
STOPPED = "error: stopped"


def environment(**more: str) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("FAIRSHARE_")}
    return {**ours, "PYTHONPATH": str(ROOT), **more}


@contextmanager
def running(*arguments: object, python: tuple[str, ...] = (), **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *python, "-m", "fairshare", *map(str, arguments)],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Send SIGINT; exit code, stdout and stderr."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err + out, err
    return process.returncode, out, err


@pytest.mark.parametrize("module", ["typer", "eth_abi", "node.errors", "web3", "ledger.client"])
def test_while_it_is_starting(module: str) -> None:
    # -X importtime tells of each module when it is there, so the signal comes while one of the next is read.
    command = ("ledger", "status", "--ledger", "0x" + "1" * 40, "--rpc-url", silent_url())
    with running(*command, python=("-X", "importtime")) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rsplit("|", 1)[-1].strip() == module:
                break
        code, _, err = interrupted(process)
    assert code == 130
    assert STOPPED in err


_SILENT: list[socket.socket] = []


def silent_url() -> str:
    """A server that takes connections and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    _SILENT.append(listener)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while _SILENT:
        _SILENT.pop().close()


def a_node(directory: Path, url: str) -> NodeHome:
    home = finished_home(directory, url, PASSPHRASE)
    invitation = Invitation(Wallet.open(home.owner_key).address, 100, bytes(32), 1 << 32)
    domain = Domain(31337, home.settings().ledger)
    home.keep_invitation(invitation_file(domain, invitation, invitation.sign(domain, account("operator"))))
    return home


@pytest.mark.parametrize("command", ["status", "doctor", "claim"])
def test_while_it_waits_for_a_chain_that_does_not_answer(command: str, tmp_path: Path) -> None:
    url = silent_url()
    home = a_node(tmp_path / "node", url)
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    with running("node", command, home.path, FAIRSHARE_PASSPHRASE=PASSPHRASE) as process:
        listener = _SILENT[-1]
        listener.settimeout(PATIENCE)
        accepted, _ = listener.accept()  # now it waits for an answer
        with accepted:
            accepted.settimeout(PATIENCE)
            assert accepted.recv(1)
            code, out, err = interrupted(process)
    assert (code, STOPPED in err) == (130, True)
    assert command == "doctor" or out == ""
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file() and path in before} == before


def test_a_second_ctrl_c_changes_nothing(tmp_path: Path) -> None:
    url = silent_url()
    home = a_node(tmp_path / "node", url)
    with running("node", "status", home.path) as process:
        accepted, _ = _SILENT[-1].accept()
        with accepted:
            for _ in range(20):
                process.send_signal(signal.SIGINT)
            code, _, err = interrupted(process)
    assert (code, err.count("error:")) == (130, 1)


def test_on_a_terminal_it_says_what_it_waits_for_and_leaves_the_cursor_as_it_was(tmp_path: Path) -> None:
    home = a_node(tmp_path / "node", silent_url())
    leader, follower = pty.openpty()
    call = [sys.executable, "-m", "fairshare", "node", "status", str(home.path)]
    process = subprocess.Popen(call, env=environment(TERM="xterm"), stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    try:
        seen = b""
        while b"asking the chain" not in seen:
            seen += os.read(leader, 1024)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
        while STOPPED.encode() not in seen:
            seen += os.read(leader, 4096)
        assert b"Traceback" not in seen
        assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")  # shown again after it was hidden
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def pressed_until_it_ends(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C as a person presses it: once more if nothing happens. What comes in the instant between the interpreter's last look
    for signals and its wait for input is noticed only after the wait.
    """
    for _ in range(int(PATIENCE) // 10):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=10)
    raise AssertionError("it goes on whatever is pressed")


def test_at_the_prompt_for_a_passphrase(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fairshare", "node", "init", str(tmp_path / "node")],
        env=environment(),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        seen = b""
        while b"Passphrase of" not in seen:
            seen += os.read(leader, 1024)
        assert pressed_until_it_ends(process) == 130
        seen += os.read(leader, 4096)
        assert b"Traceback" not in seen
        assert STOPPED.encode() in seen
        assert not list((tmp_path / "node").rglob("*.json"))  # no key was made
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_a_chain_that_serves_stops_well(tmp_path: Path) -> None:
    with running("ledger", "chain", "--home", tmp_path, "--port", "0", "--json") as process:
        assert process.stdout is not None
        assert "rpc_url" in process.stdout.readline()
        code, _, err = interrupted(process)
    assert (code, err) == (0, "")
