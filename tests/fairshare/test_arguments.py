"""Whatever is typed: no command ends in a traceback, and each that fails says so in a sentence."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from aggregator.founding import Wishes, found
from aggregator.home import KEYS, AggregatorHome
from fairshare.app import app
from ledger.wallet import Wallet
from tests.fairshare.commands import COMMANDS
from tests.support.nodes import finished_home

NOBODY = "http://127.0.0.1:1"
PASSPHRASE = "correct horse"
CODES = {0, 2, *range(10, 62)}
# With good arguments these work until they are stopped, so they are never given any.
UNENDING = {"demo", "ledger chain"}
# With a passphrase these make keystores, and take the seconds that a strong one takes.
MAKES_KEYS = {"aggregator init", "node init", "scorer init"}

WORDS = (
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "99999999999999999999999",
    "nan",
    "0x",
    "0x" + "0" * 40,
    "0x" + "g" * 40,
    "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "0x5fbdb2315678afecb367f032d93f642f64180aa3",
    "0x" + "a" * 64,
    NOBODY,
    "http://",
    "http://[::1",
    "ftp://127.0.0.1/x",
    "http://127.0.0.1:99999",
    "digits",
    "tabular",
    "nothing.py:Task",
    "os:path",
    "3/8",
    "../..",
    "/dev/null",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "ß" * 300,
    "{}%s{0}",
    "--",
    "--help",
    "-",
)
FILES = ("node", "federation", "empty", "junk", "junk.toml", "keys.json", "table.csv", "loop", "nowhere")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with a finished node, a founded federation, and files of every kind; nothing listens anywhere."""
    place = tmp_path_factory.mktemp("place")
    finished_home(place / "node", NOBODY, PASSPHRASE)
    federation = AggregatorHome(place / "federation")
    for key in KEYS:
        Wallet.create(federation.key(key), PASSPHRASE, scrypt_n=2)
    found(federation, Wishes(task="digits", rpc_url=NOBODY), PASSPHRASE)
    (place / "empty").mkdir()
    (place / "junk").write_bytes(bytes(range(256)))
    (place / "junk.toml").write_text("= [")
    (place / "keys.json").write_text('{"version": 3, "address": "12"}')
    (place / "table.csv").write_text("x,y\n1,a\n2,b\n")
    (place / "loop").symlink_to("loop")
    before = Path.cwd()
    os.chdir(place)
    yield place
    os.chdir(before)


ENVIRONMENT = {
    "FAIRSHARE_RPC_URL": NOBODY,
    "FAIRSHARE_AGGREGATOR_RPC_URL": NOBODY,
    "FAIRSHARE_PASSPHRASE_FILE": None,
}


VALUES = st.sampled_from(FILES) | st.sampled_from(WORDS) | st.integers(-2, 3).map(str)


@st.composite
def _arguments(draw: st.DrawFn, name: str) -> list[str]:
    words: list[str] = []
    for option in COMMANDS[name].params:
        if option.name == "help":
            continue
        if option.param_type_name == "argument":
            words += [draw(VALUES)] if draw(st.integers(0, 9)) else []
        elif draw(st.integers(0, 2)) == 0:
            words += [option.opts[0]] if option.is_flag else [option.opts[0], draw(VALUES)]
    if draw(st.integers(0, 7)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(st.sampled_from(WORDS)))
    return [*words, "--no-such-option"] if name in UNENDING else words


@pytest.mark.parametrize("name", COMMANDS)
def test_no_arguments_end_in_a_traceback(name: str, place: Path, tmp_path: Path) -> None:
    run, passphrase = CliRunner(), None if name in MAKES_KEYS else PASSPHRASE
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "FAIRSHARE_PASSPHRASE": passphrase}

    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(arguments=_arguments(name))
    def check(arguments: list[str]) -> None:
        told = run.invoke(app, [*name.split(), *arguments], env=environment)
        assert told.exception is None or isinstance(told.exception, SystemExit), (arguments, told.exception)
        assert told.exit_code in CODES, (arguments, told.output)
        assert "Traceback" not in told.output
        assert told.exit_code in (0, 60, 61) or told.stderr.strip(), arguments

    check()
    # Nothing was harmed by it.
    assert Wallet.open(place / "node" / "keys" / "owner.json")
    assert Wallet.open(place / "federation" / "keys" / "operator.json")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([b"node", b"status", b"\xff\xfe"], 14),
        ([b"node", b"why", b"x" * 5000, b"1"], 11),
        ([b"aggregator", b"init", b"new", b"--task", b"\xf0\x9f\x92\xa9:\xff"], 24),
        ([b"ledger", b"status", b"--ledger", b"0x12"], 10),
        ([b"node", b"doctor", b"\x1b[31m"], 60),
        ([b"ledger", b"rewards", b"\xc3\x28"], 10),
    ],
    ids=["bytes that are no text", "endless", "a strange task", "a short address", "colour", "half a letter"],
)
def test_real_processes_end_with_a_sentence_too(place: Path, arguments: list[bytes], code: int) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FAIRSHARE_PASSPHRASE")}
    environment |= {"FAIRSHARE_RPC_URL": NOBODY, "PYTHONPATH": str(Path(__file__).parents[2])}
    call = [os.fsencode(sys.executable), b"-m", b"fairshare", *arguments]
    done = subprocess.run(call, cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False), (done.stdout, done.stderr)
    shutil.rmtree(place / "new", ignore_errors=True)


def test_a_fault_of_our_own_is_a_sentence_with_what_to_do(tmp_path: Path) -> None:
    script = """
import sys
from fairshare import app as house
def broken():
    raise RuntimeError("no idea")
house.app.command()(broken)
sys.argv = ["fairshare", "broken"]
from fairshare.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert done.stderr.startswith("error: fairshare itself failed (RuntimeError: no idea); please report it")
    assert "Traceback" not in done.stderr
    shown = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FAIRSHARE_TRACEBACK": "1"},
    )
    assert "Traceback" in shown.stderr
