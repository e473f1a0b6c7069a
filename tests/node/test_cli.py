"""The commands as a person or a script gives them: results, sentences and exit codes."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.wallet import Wallet
from node.cli import app
from node.home import NodeHome
from protocol.config import parse_config
from protocol.terms import terms_hash
from tests.node.conftest import NODE_CONFIG, SOURCE, World
from tests.node.process import COMMAND, ROOT, environment
from tests.support.chain import PASSPHRASE, account

DIGEST = terms_hash(parse_config(NODE_CONFIG).sha256(), SOURCE.sha256())

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE_FILE", raising=False)
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("COLUMNS", "300")


def give(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process."""
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def give_json(*arguments: str | Path) -> dict[str, object]:
    code, out, err = give(*arguments, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    assert found.pop("schema_version") == 1
    return found


def directory_with_keys(path: Path) -> Path:
    home = NodeHome(path)
    for file, name in ((home.owner_key, "owner 0"), (home.signing_key, "signer 0")):
        Wallet.create(file, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    return path


def test_from_an_empty_directory_to_claimed_tokens(world: World, tmp_path: Path) -> None:
    directory = directory_with_keys(tmp_path / "press 7")
    keys = give_json("init", directory)
    assert keys["owner"] == account("owner 0").address
    assert keys["next"] == f"fairshare ledger invite {account('owner 0').address} --federation FEDERATION_DIR"

    invitation = tmp_path / "invitation.json"
    invitation.write_text(world.federation.invite("owner 0").model_dump_json())
    offered: list[str | Path] = ["init", directory, "--federation", world.service.url, "--invitation", invitation, "--data", "16"]
    offered += ["--rpc-url", world.federation.chain.url, "--payout", account("stranger").address.lower()]
    code, _, err = give(*offered)
    assert code == 55
    assert f"--accept-terms {DIGEST.hex()}" in err
    ready = give_json(*offered, "--accept-terms", DIGEST.hex())
    assert (ready["ready"], ready["payout"], ready["data"]) == (True, account("stranger").address, "16")
    assert give_json("init", directory) == ready  # nothing is asked again

    joined = give_json("join", directory)
    assert (joined["node"], joined["stake"]) == (0, str(10**18 // 2))
    assert give_json("join", directory)["transaction"] is None
    world.members.append(0)

    status = give_json("status", directory)
    assert (status["round"], status["state"], status["done"], status["aggregator"]) == (0, "final", "", "up")
    world.run(NodeHome(directory))
    status = give_json("status", directory)
    assert (status["round"], status["state"], status["done"]) == (1, "proposed", "reported")

    pending = give_json("rewards", directory)
    assert (pending["pending"], pending["claimable"], pending["aggregator"]) == (str(1000 * 10**18), "0", "says the same")
    assert give_json("claim", directory)["transactions"] == []
    assert "nothing to claim; 1000 TEST are pending" in give("claim", directory)[1]
    world.advance_window()
    claimed = give_json("claim", directory)
    assert (claimed["claimed"], claimed["rounds"]) == (str(1000 * 10**18), [1])
    assert world.federation.client.balance(account("stranger").address) == 1000 * 10**18
    assert give_json("claim", directory)["rounds"] == []
    assert "1000 TEST" in give("rewards", directory)[1]
    assert "signing key" in give("status", directory)[1]


def test_keys_are_made_with_the_passphrase_and_the_way_on_is_told(tmp_path: Path) -> None:
    code, out, _ = give("init", tmp_path / "node")
    home = NodeHome(tmp_path / "node")
    owner = Wallet.open(home.owner_key)
    assert code == 0
    assert f"fairshare ledger invite {owner.address}" in out
    assert Wallet.open(home.signing_key).address != owner.address


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\u202e<script>alert(1)</script>[red][/]\r\nok"


def test_a_name_that_would_steer_the_terminal_is_shown_and_obeyed_by_nothing(world: World, tmp_path: Path) -> None:
    directory = directory_with_keys(tmp_path / HOSTILE.replace("/", ":"))
    invitation = tmp_path / "invitation.json"
    invitation.write_text(world.federation.invite("owner 0").model_dump_json())
    offered: list[str | Path] = ["--federation", world.service.url, "--invitation", invitation, "--data", "16"]
    offered += ["--rpc-url", world.federation.chain.url, "--accept-terms", DIGEST.hex()]
    for arguments in (["init", directory], ["init", directory, *offered], ["join", directory], ["run", tmp_path / HOSTILE]):
        _, out, err = give(*arguments)
        shown = out + err
        assert shown
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(shown), arguments
        if str(directory) in map(str, arguments) and arguments[0] == "join":
            assert "<script>alert(1)<:script>[red][:]" in shown, "shown as it is, not read as markup"
    assert give_json("init", directory)["ready"], "and its files are where they were asked for"


def test_wrong_input_ends_with_a_sentence_and_its_code(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = world.enrolled(0)
    cases = [
        (("run", tmp_path / "nothing"), 14, "finish it with `fairshare node init"),
        (("status", home.path), 18, "has not joined the federation: run `fairshare node join"),
        (("init", home.path, "--accept-terms", "12"), 2, "64 hexadecimal digits"),
        (("init", home.path, "--invitation", tmp_path / "none.json"), 11, "none.json"),
        (("init", home.path, "--payout", "0x12"), 10, "is not an address"),
        (("join", home.path, "--stake", "0.1"), 35, "StakeTooLow"),
        (("join", home.path, "--stake", "much"), 10, "'much' is not an amount"),
        (("join", home.path, "--stake", "5000"), 34, "fairshare ledger fund"),
    ]
    for arguments, code, sentence in cases:
        found, _, err = give(*arguments)
        assert (found, sentence in err) == (code, True), (arguments, found, err)
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", "wrong")
    found, _, err = give("join", home.path)
    assert (found, "does not open" in err) == (25, True)


def test_chain_or_aggregator_down_when_a_command_starts(world: World) -> None:
    home = world.node(0)
    world.service.down()
    code, _, err = give("run", home.path)
    assert (code, "no aggregator answers at" in err) == (40, True)
    code, _, err = give("init", home.path)
    assert (code, "no aggregator answers at" in err) == (40, True)
    code, out, _ = give("rewards", home.path)
    assert (code, "not asked: no aggregator answers" in out) == (0, True)
    world.service.up()
    elsewhere = {"rpc_url": f"http://127.0.0.1:{world.service.port}/nobody"}
    home.write_settings(home.settings().model_copy(update=elsewhere))
    for command in ("init", "join", "run", "status", "rewards", "claim"):
        code, _, err = give(command, home.path)
        assert (code, "no chain answers at" in err) == (31, True), (command, err)


def test_help_has_an_example_for_every_command_and_loads_nothing_heavy() -> None:
    import subprocess

    code, out, _ = give("--help")
    assert code == 0
    for command in ("init", "doctor", "join", "run", "status", "why", "rewards", "verify", "claim", "leave"):
        assert command in out
        assert f"Example: fairshare node {command} " in give(command, "--help")[1]
    heavy = "import sys, node.cli; print(sorted({'torch', 'web3', 'numpy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_asking_and_claiming_never_load_torch(world: World) -> None:
    import subprocess

    home = world.node(0)
    world.federation.play((10_000_000,))
    script = f"""
import sys
from typer.testing import CliRunner
from node.cli import app
for command, *more in (["status"], ["rewards"], ["why", "1"], ["claim"], ["leave"]):
    result = CliRunner().invoke(app, [command, {str(home.path)!r}, *more])
    assert result.exit_code == 0, result.output
    assert command != "claim" or "claimed 1000 TEST" in result.output, result.output
import node.verify
assert "web3" in sys.modules and "torch" not in sys.modules
"""
    subprocess.run([COMMAND[0], "-c", script], cwd=ROOT, env=environment(), check=True)
    assert world.federation.client.balance(account("owner 0").address) == 1000 * 10**18


def test_a_run_gives_its_rounds_as_one_json_object(world: World) -> None:
    from tests.node.test_kill import aggregating

    home = world.node(0)
    with aggregating(world):
        code, out, err = give("run", home.path, "--rounds", "1", "--json")
    assert code == 0, err
    (told,) = json.loads(out)["rounds"]
    assert (told["round"], told["verdict"], told["reward"]) == (1, "accept", str(1000 * 10**18))
    assert "The update was used as it was sent." in err
