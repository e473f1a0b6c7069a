"""`fairshare aggregator` as a person and as a program use it. `serve` has its tests in service/test_server.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aggregator.cli import app
from aggregator.home import KEYS, AggregatorHome
from aggregator.service.database import open_database
from aggregator.service.phases import Phase
from aggregator.service.store import Store
from aggregator.service.voids import VoidReason
from ledger.wallet import Wallet
from protocol.inputs import BoundInputs
from protocol.roster import RosterEntry
from tests.support.chain import PASSPHRASE, account

BOUND = BoundInputs(0, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, bytes(32), (b"\x04" * 32,), b"\x06" * 32)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands with the passphrase in the environment."""
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)
    return CliRunner()


@pytest.fixture
def directory(tmp_path: Path, run: CliRunner) -> Path:
    """A founded federation directory with cheap keys."""
    home = AggregatorHome(tmp_path / "federation")
    for name in KEYS:
        Wallet.create(home.key(name), PASSPHRASE, scrypt_n=2)
    made = run.invoke(app, ["init", str(home.path), "--task", "digits", "--name", "ours"])
    assert made.exit_code == 0, made.stderr
    assert "fairshare ledger deploy" in made.stderr
    assert Wallet.open(home.key("scorer")).address in made.stdout
    return home.path


def test_init_answers_programs_with_what_goes_on_chain(directory: Path, run: CliRunner) -> None:
    answer = run.invoke(app, ["init", str(directory), "--json"])
    told = json.loads(answer.stdout)
    founding = json.loads((directory / "founding.json").read_text())
    assert (told["schema_version"], told["name"]) == (1, "ours")
    assert {key: told[key] for key in founding if key != "schema_version"} == {
        key: value for key, value in founding.items() if key != "schema_version"
    }


def test_init_makes_keys_that_the_passphrase_opens(tmp_path: Path, run: CliRunner) -> None:
    assert run.invoke(app, ["init", str(tmp_path / "new"), "--task", "digits", "--json"]).exit_code == 0
    key = AggregatorHome(tmp_path / "new").key("aggregator")
    assert Wallet.open(key).unlock(PASSPHRASE).address == Wallet.open(key).address
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--task", "nosuch"], 50, "digits"),
        (["--task", "digits", "--evaluation", "nosuch"], 52, "training"),
        ([], 14, "--task"),
    ],
)
def test_init_says_what_to_give_instead(tmp_path: Path, run: CliRunner, arguments: list[str], code: int, told: str) -> None:
    home = AggregatorHome(tmp_path / "federation")
    for name in KEYS:
        Wallet.create(home.key(name), PASSPHRASE, scrypt_n=2)
    answer = run.invoke(app, ["init", str(home.path), *arguments])
    assert (answer.exit_code, told in answer.stderr) == (code, True), answer.stderr
    assert not home.founding_file.exists()


def test_init_without_a_passphrase_makes_no_keys(tmp_path: Path) -> None:
    answer = CliRunner(env={"FAIRSHARE_PASSPHRASE": "", "FAIRSHARE_PASSPHRASE_FILE": ""}).invoke(
        app, ["init", str(tmp_path / "federation"), "--task", "digits"]
    )
    assert answer.exit_code == 24
    assert not (tmp_path / "federation").exists()


def test_status_of_a_federation_without_rounds(directory: Path, run: CliRunner) -> None:
    told = json.loads(run.invoke(app, ["status", str(directory), "--json"]).stdout)
    assert told == {
        "schema_version": 1,
        "url": None,
        "pid": None,
        "rounds": [],
        "events": [],
        "waiting": "round 1 opens as soon as enough nodes are eligible",
        "announced": "",
        "lacking": "",
    }
    assert not (directory / "state.sqlite").exists()
    assert "not serving" in run.invoke(app, ["status", str(directory)]).stdout


def test_status_says_what_the_last_round_waits_for(directory: Path, run: CliRunner) -> None:
    home = AggregatorHome(directory)
    engine = open_database(home.database_url(home.settings()))
    store = Store(engine)
    store.bind(1, BOUND)
    store.opened(1, 100, 160, [RosterEntry(node, account(f"signer {node}").address, 9) for node in range(3)])
    shown = run.invoke(app, ["status", str(directory)]).stdout
    assert "round 1 waits for commitments: 0 of 3 eligible nodes have committed" in shown
    store.move(1, Phase.OPEN, Phase.ABANDONING, reason=VoidReason.TOO_FEW_COMMITS.because("Nobody came."))
    store.move(1, Phase.ABANDONING, Phase.VOID)
    told = json.loads(run.invoke(app, ["status", str(directory), "--json"]).stdout)
    assert told["rounds"][0] | {"accuracy": None} == told["rounds"][0]
    assert (told["rounds"][0]["state"], told["rounds"][0]["reason"]) == ("void", "too-few-commits")
    assert told["rounds"][0]["sentence"].endswith("Nobody came.")
    assert told["waiting"] == "round 2 opens as soon as enough nodes are eligible"
    engine.dispose()


@pytest.mark.parametrize("command", ["status", "serve"])
def test_a_directory_that_is_none_is_named(tmp_path: Path, run: CliRunner, command: str) -> None:
    answer = run.invoke(app, [command, str(tmp_path)])
    assert (answer.exit_code, "aggregator.toml" in answer.stderr) == (14, True)


def test_serve_before_the_deployment_names_the_next_command(directory: Path, run: CliRunner) -> None:
    answer = run.invoke(app, ["serve", str(directory)])
    assert (answer.exit_code, f"fairshare ledger deploy {directory}" in answer.stderr) == (16, True)


@pytest.mark.parametrize("command", ["init", "serve", "status"])
def test_help_has_an_example(run: CliRunner, command: str) -> None:
    assert f"Example: fairshare aggregator {command}" in run.invoke(app, [command, "--help"]).stdout


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; import aggregator.cli; "
        "print([name for name in ('torch', 'web3', 'fastapi', 'sqlalchemy', 'pydantic_settings') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_service_itself_loads_no_torch() -> None:
    code = "import sys, aggregator.service.server; sys.exit('torch' in sys.modules)"  # its worker does
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_federations_name_full_of_control_characters_and_html_is_only_shown(tmp_path: Path, run: CliRunner) -> None:
    name = "\x1b]0;pwned\x07\x1b[2J<b onload=x>[red][/]"
    home = AggregatorHome(tmp_path / "federation")
    for key in KEYS:
        Wallet.create(home.key(key), PASSPHRASE, scrypt_n=2)
    shown = run.invoke(app, ["init", str(home.path), "--task", "digits", "--name", name])
    assert (shown.exit_code, "\x1b" in shown.output, "\x07" in shown.output) == (0, False, False)
    assert "<b onload=x>[red][/]" in shown.stdout
    assert json.loads(run.invoke(app, ["init", str(home.path), "--json"]).stdout)["name"] == name
