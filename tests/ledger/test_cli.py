"""`fairshare ledger` as people and programs use it: what it prints, what it writes, and how it fails."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledger.chain.engine import LOCAL_CHAIN_ID
from ledger.chain.faucet import faucet_path
from ledger.chain.server import DEFAULT_PORT, HOST
from ledger.cli import app
from ledger.client import LedgerClient
from ledger.deployment import deployment_path, read_deployment
from ledger.places import LOCAL_CHAIN_ID as ASSUMED_CHAIN_ID
from ledger.places import LOCAL_RPC_URL
from protocol.invitation import read_invitation
from tests.support.chain import COIN, PASSPHRASE, LocalChain, LocalFederation, account
from tests.support.processes import PATIENCE

SOMEBODY = account("somebody new").address


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working directory of the test's own, the passphrase in the environment, a wide terminal, and nothing else."""
    for name in [name for name in os.environ if name.startswith("FAIRSHARE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def result(*arguments: object) -> dict[str, Any]:
    """The one JSON object of a command that succeeds."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    assert parsed.pop("schema_version") == 1
    return parsed


def failure(*arguments: object) -> tuple[int, str]:
    """Exit code and sentence of a command that fails, with nothing on stdout."""
    for as_json in ((), ("--json",)):
        done = run(*arguments, *as_json)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
    return done.exit_code, done.stderr


def chain_options(chain: LocalChain) -> tuple[str, str]:
    return ("--rpc-url", chain.url)


def free_url() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_the_assumed_chain_is_the_local_one() -> None:
    assert (f"http://{HOST}:{DEFAULT_PORT}", LOCAL_CHAIN_ID) == (LOCAL_RPC_URL, ASSUMED_CHAIN_ID)


@pytest.mark.parametrize("command", ["chain", "fund", "deploy", "invite", "status", "rewards"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"Example: fairshare ledger {command}" in shown.stdout
    assert "--json" in shown.stdout


def test_help_needs_neither_web3_nor_the_local_chain() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from ledger.cli import app;"
        "assert CliRunner().invoke(app, ['deploy', '--help']).exit_code == 0;"
        "sys.exit(bool({'web3', 'eth', 'uvicorn', 'fastapi'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_chain_serves_until_interrupted_and_keeps_everything(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from ledger.cli import app; app()",
        "chain",
        "--home",
        str(tmp_path / "home"),
        "--port",
        "0",
    ]
    for _ in range(2):
        with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                started = json.loads(process.stdout.readline())
                assert (started["schema_version"], started["chain_id"]) == (1, LOCAL_CHAIN_ID)
                got = result("fund", SOMEBODY, "--rpc-url", started["rpc_url"], "--chain-home", tmp_path / "home")
                assert (got["address"], got["amount"]) == (SOMEBODY, str(10 * COIN))
            finally:
                process.send_signal(signal.SIGINT)
                rest, errors = process.communicate(timeout=PATIENCE)
            assert (process.returncode, rest, errors) == (0, "", "")
    with LocalChain(tmp_path / "home") as chain:
        assert chain.web3.eth.get_balance(SOMEBODY) == 20 * COIN


def test_chain_on_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, sentence = failure("chain", "--home", tmp_path / "home", "--port", taken.getsockname()[1])
    assert (code, "use another port" in sentence) == (37, True)


def test_fund_gives_coin_of_the_local_chain(chain: LocalChain) -> None:
    done = run("fund", SOMEBODY.lower(), "--amount", "2.5", *chain_options(chain), "--chain-home", chain.database.parent)
    assert (done.exit_code, done.stdout) == (0, f"{SOMEBODY} got 2.5 coin\n")
    assert chain.web3.eth.get_balance(SOMEBODY) == 25 * COIN // 10


def test_fund_refuses_what_is_wrong(chain: LocalChain, tmp_path: Path) -> None:
    home = ("--chain-home", chain.database.parent)
    assert failure("fund", "0x12", *chain_options(chain), *home)[0] == 10
    assert failure("fund", SOMEBODY.swapcase().replace("0X", "0x"), *chain_options(chain), *home)[0] == 10
    assert failure("fund", SOMEBODY, "--amount", "-1", *chain_options(chain), *home)[0] == 10
    assert failure("fund", SOMEBODY, "--rpc-url", free_url(), *home)[0] == 31
    code, sentence = failure("fund", SOMEBODY, *chain_options(chain), "--chain-home", tmp_path / "elsewhere")
    assert 30 <= code < 40
    assert str(faucet_path(tmp_path / "elsewhere" / "chain.sqlite")) in sentence
    assert chain.web3.eth.get_balance(SOMEBODY) == 0


def test_fund_refuses_another_chain(chain: LocalChain, tmp_path: Path) -> None:
    with LocalChain(tmp_path / "another") as other:
        code, sentence = failure("fund", SOMEBODY, *chain_options(chain), "--chain-home", other.database.parent)
    assert (code, "is not the local chain of this faucet" in sentence) == (33, True)


@pytest.fixture
def undeployed(federation: LocalFederation, tmp_path: Path) -> Path:
    """A federation directory before `deploy`; its chain knows nothing of it, or another federation of the same founders."""
    directory = federation.write_directory(tmp_path / "federation")
    deployment_path(directory, federation.chain.chain_id).unlink()
    return directory


def test_deploy_writes_where_the_contracts_are(federation: LocalFederation, undeployed: Path) -> None:
    done = result("deploy", undeployed, *chain_options(federation.chain))
    written = read_deployment(deployment_path(undeployed, LOCAL_CHAIN_ID))
    assert done.pop("file") == str(deployment_path(undeployed, LOCAL_CHAIN_ID))
    assert {**done, "schema_version": 1} == written.model_dump()
    assert LedgerClient(federation.chain.web3, written.ledger).config_hash() == federation.config.sha256()
    code, sentence = failure("deploy", undeployed, *chain_options(federation.chain))
    assert (code, written.ledger in sentence) == (39, True)


def test_deploy_shows_progress_and_addresses(federation: LocalFederation, undeployed: Path) -> None:
    done = run("deploy", undeployed, *chain_options(federation.chain))
    ledger = read_deployment(deployment_path(undeployed, LOCAL_CHAIN_ID)).ledger
    assert f"creating RoundLedger at {ledger}" in done.stderr
    assert ledger in done.stdout


def test_deploy_takes_the_chain_from_the_aggregators_settings(
    federation: LocalFederation, undeployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (undeployed / "aggregator.toml").write_text(f'rpc_url = "{federation.chain.url}"\nchain_id = 5\nport = 1\n')
    assert failure("deploy", undeployed)[0] == 32
    monkeypatch.setenv("FAIRSHARE_AGGREGATOR_CHAIN_ID", str(LOCAL_CHAIN_ID))
    assert result("deploy", undeployed)["chain_id"] == LOCAL_CHAIN_ID


def test_deploy_refuses_what_is_wrong(
    federation: LocalFederation, undeployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = chain_options(federation.chain)
    (tmp_path / "empty").mkdir()
    assert failure("deploy", tmp_path / "empty", *here)[0] == 10
    assert run("deploy", tmp_path / "missing", *here).exit_code == 2
    assert failure("deploy", undeployed, "--rpc-url", free_url())[0] == 31
    assert failure("deploy", undeployed, *here, "--chain-id", 1)[0] == 32

    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", "wrong")
    assert failure("deploy", undeployed, *here)[0] == 25
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE")
    assert failure("deploy", undeployed, *here)[0] == 24
    (tmp_path / "passphrase").write_text("also wrong\n")
    assert failure("deploy", undeployed, *here, "--passphrase-file", tmp_path / "passphrase")[0] == 25
    operator = undeployed / "keys" / "operator.json"
    operator.unlink()
    assert failure("deploy", undeployed, *here)[0] == 22
    (undeployed / "keys" / "aggregator.json").rename(operator)
    assert failure("deploy", undeployed, *here)[0] == 26

    (undeployed / "aggregator.toml").write_text("rpc_url =")
    assert failure("deploy", undeployed, *here)[0] == 10
    assert not list((undeployed / "deployments").iterdir())


def test_invite_writes_a_file_that_lets_its_owner_join(federation: LocalFederation, tmp_path: Path) -> None:
    directory = federation.write_directory(tmp_path / "federation")
    owner = account("owner 0")
    # Signed without the chain, so for the clock of this machine; the tests' chain lives later.
    done = result("invite", owner.address, "--federation", directory, "--max-samples", 77, "--days", 3650)
    assert done["file"] == f"invitation-{owner.address}.json"
    invited = read_invitation(Path(done["file"]))
    assert (invited.domain, invited.owner, invited.max_samples) == (federation.client.domain, owner.address, 77)
    assert invited.model_dump() == done["invitation"]
    signer, stake = account("signer 0").address, federation.client.minimum_stake()
    join = federation.client.join(signer, owner.address, invited.invitation, invited.signature_bytes, stake)
    federation.send("owner 0", join)
    assert federation.client.node(0).max_samples == 77


def test_two_invitations_differ_and_a_file_is_never_overwritten(federation: LocalFederation, tmp_path: Path) -> None:
    directory = federation.write_directory(tmp_path / "federation")
    nonces = {
        result("invite", SOMEBODY, "--federation", directory, "--out", tmp_path / "deep" / f"{i}.json")["invitation"]["nonce"]
        for i in range(2)
    }
    assert len(nonces) == 2
    before = (tmp_path / "deep" / "1.json").read_text()
    assert failure("invite", SOMEBODY, "--federation", directory, "--out", tmp_path / "deep" / "1.json")[0] == 12
    assert (tmp_path / "deep" / "1.json").read_text() == before


def test_invite_refuses_what_is_wrong(federation: LocalFederation, tmp_path: Path) -> None:
    directory = federation.write_directory(tmp_path / "federation")
    there = ("--federation", directory)
    for wrong in ("owner", "0x00", SOMEBODY[:-1], SOMEBODY.swapcase().replace("0X", "0x")):
        assert failure("invite", wrong, *there)[0] == 10
    assert run("invite", SOMEBODY, *there, "--max-samples", 0).exit_code == 2
    assert run("invite", SOMEBODY, *there, "--days", 0).exit_code == 2
    code, sentence = failure("invite", SOMEBODY, *there, "--chain-id", 5)
    assert (30 <= code < 40, "run `fairshare ledger deploy` first" in sentence) == (True, True)
    path = deployment_path(directory, LOCAL_CHAIN_ID)
    path.write_text(path.read_text().replace(str(LOCAL_CHAIN_ID), "5"))
    assert failure("invite", SOMEBODY, *there)[0] == 32
    assert not list(tmp_path.glob("invitation-*"))


def test_status_and_rewards_say_what_the_chain_says(federation: LocalFederation, tmp_path: Path) -> None:
    directory = federation.write_directory(tmp_path / "federation")
    client, here = federation.client, chain_options(federation.chain)
    for number in range(2):
        federation.join(number)
    first = federation.play((4_000_000, 6_000_000))
    federation.send("stranger", client.claim(0, [first]))
    second = federation.play((10_000_000,))
    federation.send("aggregator", client.open_round(second, (bytes(32),), bytes(32)))

    found = result("status", "--federation", directory, *here)
    assert found == result("status", "--ledger", client.ledger_address, "--chain-id", LOCAL_CHAIN_ID, *here)
    assert (found["pool"], found["supply"], found["reserved"]) == (str(1000 * COIN), str(400 * COIN), str(3000 * COIN))
    assert (found["cap"], found["node_count"], found["token_symbol"]) == (str(3500 * COIN), 2, "TEST")
    assert [(r["round"], r["state"], r["parent"]) for r in found["rounds"]] == [
        (0, "final", 0),
        (1, "final", 0),
        (2, "final", 1),
        (3, "open", 2),
    ]
    assert found["rounds"][3]["deadline"] == client.round(3).deadline
    text = run("status", "--federation", directory, *here).stdout
    assert "pool 1000 TEST a round; minted 400, minted or promised 3000 of 3500" in text
    assert [line.split()[:3] for line in text.splitlines()[-2:]] == [["2", "final", "1"], ["3", "open", "2"]]

    earned = result("rewards", 0, "--federation", directory, *here)
    assert earned == result("rewards", account("owner 0").address, "--federation", directory, *here)
    totals = {key: int(earned[key]) // COIN for key in ("earned", "pending", "claimable", "claimed")}
    assert totals == {"earned": 1400, "pending": 0, "claimable": 1000, "claimed": 400}
    assert [(r["round"], r["state"], r["score"], r["claimed"]) for r in earned["rounds"]] == [
        (1, "final", 4_000_000, True),
        (2, "final", 10_000_000, False),
        (3, "open", 0, False),
    ]
    text = run("rewards", 0, "--federation", directory, *here).stdout
    assert "earned 1400 TEST: claimed 400, claimable 1000; pending 0" in text


def test_questions_about_what_is_not_there(federation: LocalFederation, tmp_path: Path) -> None:
    directory = federation.write_directory(tmp_path / "federation")
    here = chain_options(federation.chain)
    ledger = federation.deployment.ledger
    assert failure("status", *here)[0] == 10
    assert failure("status", "--federation", directory, "--ledger", ledger, *here)[0] == 10
    assert failure("status", "--ledger", "nonsense", *here)[0] == 10
    assert failure("status", "--ledger", federation.deployment.token, *here)[0] == 36
    assert failure("status", "--ledger", SOMEBODY, *here)[0] == 36
    assert failure("status", "--ledger", ledger, "--chain-id", 1, *here)[0] == 32
    assert failure("status", "--ledger", ledger, "--rpc-url", free_url())[0] == 31
    assert failure("rewards", 0, "--federation", directory, *here)[0] == 35
    assert failure("rewards", "nobody", "--federation", directory, *here)[0] == 10
    code, sentence = failure("rewards", SOMEBODY, "--federation", directory, *here)
    assert (code, "never joined the federation" in sentence) == (30, True)


def test_bonds_reservations_and_the_opening_of_rounds(federation: LocalFederation, tmp_path: Path) -> None:
    client, chain = federation.client, federation.chain
    directory = federation.write_directory(tmp_path / "federation")
    where = ("--ledger", client.ledger_address, "--rpc-url", chain.url)
    scorer, operator = directory / "keys" / "scorer.json", directory / "keys" / "operator.json"
    address = account("scorer").address

    assert result("bond", "unbond", address, "--key", scorer, *where)["bond"] == str(2 * COIN)
    code, told = failure("bond", "withdraw", address, "--key", operator, *where)
    assert (code, "BondLocked" in told) == (35, True)
    back = result("bond", "deposit", address, "--key", scorer, *where)
    assert (back["bond"], back["free_at"], back["owed"]) == (str(2 * COIN), None, "0")
    result("bond", "unbond", address, "--key", scorer, *where)
    chain.advance(1000)
    assert result("bond", "withdraw", address, "--key", operator, *where)["bond"] == "0"
    assert result("bond", "deposit", address, "--key", operator, *where)["bond"] == str(2 * COIN)

    assert result("rounds", "pause", "--key", operator, *where) == {"paused": True}
    code, told = failure("rounds", "unpause", "--key", scorer, *where)
    assert "operator" in told or "AccessControl" in told
    assert result("rounds", "unpause", "--key", operator, *where) == {"paused": False}

    federation.join(0)
    federation.send("aggregator", client.open_round(0, (bytes(32),), bytes(32)))
    code, told = failure("release", 1, "--key", operator, *where)
    assert "NothingToRelease" in told
    federation.send("aggregator", client.abandon(1))
    assert result("release", 1, "--key", operator, *where) == {"round": 1, "reserved": "0"}
