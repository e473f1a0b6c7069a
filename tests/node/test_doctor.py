"""Everything that the doctor looks at is broken once, and the finding says so and how to mend it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from node.checks import CHECKS, Patient
from node.cli import app
from node.doctor import Finding, State, examine
from node.home import NodeHome
from protocol.api import Health
from protocol.typed_data import Update
from tests.node.conftest import NODE_CONFIG, World, accepted
from tests.support.chain import COIN, PASSPHRASE, account

NAMES = [check.name for check in CHECKS]


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE_FILE", raising=False)
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)


def look(world: World, home: NodeHome, behind: int = 0) -> dict[str, Finding]:
    """All findings by check; `behind` seconds this machine's clock is late."""
    patient = Patient(home, clock=lambda: world.federation.client.now() - behind)
    return {finding.check: finding for finding in examine(patient)}


def ill(findings: dict[str, Finding]) -> list[str]:
    for finding in findings.values():
        assert finding.found
        assert bool(finding.mend) == (finding.state is State.ILL), finding
        assert "{" not in finding.mend
    return [name for name, finding in findings.items() if finding.state is State.ILL]


def test_a_node_that_has_joined_is_well(world: World) -> None:
    told: list[str] = []
    home = world.node(0)
    findings = list(examine(Patient(home, clock=world.federation.client.now), told.append))
    assert [(finding.check, finding.state) for finding in findings] == [(name, State.WELL) for name in NAMES]
    assert told == NAMES


def _settings(**changes: object) -> Callable[[World, NodeHome], object]:
    return lambda world, home: home.write_settings(home.settings().model_copy(update=changes))


def _invitation(home: NodeHome, **changes: object) -> None:
    """Change the invitation that the directory keeps."""
    invitation = home.invitation()
    assert invitation is not None
    home.keep_invitation(invitation.model_copy(update=changes))


def _elsewhere(**changes: object) -> Callable[[World, NodeHome], object]:
    """Everybody but the chain speaks of another ledger or chain."""

    def change(world: World, home: NodeHome) -> None:
        _settings(**changes)(world, home)
        _invitation(home, **changes)
        world.service.tamper["GET /v1/federation"] = lambda honest: honest.model_copy(update=changes)

    return change


def _chain_down(world: World, home: NodeHome) -> None:
    _settings(rpc_url="http://127.0.0.1:1")(world, home)


def _rewrite(file: Callable[[NodeHome], Path], text: str) -> Callable[[World, NodeHome], object]:
    return lambda world, home: file(home).write_text(text)


def _spend(world: World, home: NodeHome) -> None:
    account_, web3 = account("owner 0"), world.federation.chain.web3
    fee = 21_000 * 10**12
    value = web3.eth.get_balance(account_.address) - fee - 10**9
    sent: dict[str, Any] = {
        "nonce": web3.eth.get_transaction_count(account_.address),
        "to": account("stranger").address,
        "gas": 21_000,
    }
    signed = account_.sign_transaction({**sent, "gasPrice": 10**12, "value": value, "chainId": world.federation.chain.chain_id})
    web3.eth.send_raw_transaction(signed.raw_transaction)


def _leave(world: World, home: NodeHome) -> None:
    world.federation.send("owner 0", world.federation.client.leave())


def _sign_twice(world: World, home: NodeHome) -> None:
    """A proof of two updates for one round takes the stake, and the invitation has run out."""
    client, number = world.federation.client, world.open_round()
    on_chain = client.round(number)
    one = Update(number, on_chain.inputs, 0, client.round(on_chain.parent).model_hash, bytes(32), 5)
    other = replace(one, samples=6)
    signed = [(update, update.sign(client.domain, account("signer 0"))) for update in (one, other)]
    world.federation.send("stranger", client.court.prove_double_update(*signed))
    world.federation.chain.advance(31 * 86400)


def _rotate(world: World, home: NodeHome) -> None:
    world.federation.send("owner 0", world.federation.client.rotate_key(account("fresh key").address))


def _another_invitation(world: World, home: NodeHome) -> None:
    _invitation(home, ledger=account("stranger").address)


def _fewer_samples(world: World, home: NodeHome) -> None:
    _invitation(home, max_samples=3)


def _sick_service(world: World, home: NodeHome) -> None:
    world.service.tamper["GET /healthz"] = lambda honest: Health(status="no chain", version="0", block=0)


def _another_federation(world: World, home: NodeHome) -> None:
    world.service.tamper["GET /v1/federation"] = lambda honest: honest.model_copy(update={"ledger": account("x").address})


@pytest.mark.parametrize(
    ("broken", "break_it", "said", "mend"),
    [
        ("directory", lambda w, h: h.settings_file.unlink(), "no node.toml", "fairshare node init"),
        ("directory", _rewrite(lambda h: h.settings_file, "rpc_url = 3\n"), "rpc_url", "fairshare node init"),
        ("directory", _another_invitation, "the invitation is for ledger", "fairshare node init"),
        ("record", _rewrite(lambda h: h.store, "no database " * 50), "record of rounds", "restore state.sqlite"),
        ("key", lambda w, h: h.owner_key.unlink(), "no wallet at", "restore"),
        ("key", _rewrite(lambda h: h.signing_key, "{}"), "not an encrypted V3 keystore", "restore"),
        ("chain", _chain_down, "no chain answers", "rpc_url"),
        ("chain", _elsewhere(chain_id=1), "is of chain 31337", "rpc_url"),
        ("contracts", _elsewhere(ledger=account("stranger").address), "there is no contract", "the ledger's address"),
        ("membership", _leave, "is leaving, its stake of 0.5 coin is free at 2027-01-15", "fairshare node leave"),
        ("membership", _sign_twice, "a proof of its fault took it", "ask the operator for a new invitation"),
        ("membership", _rotate, "the registry has the signing key", "signing.json"),
        ("balance", _spend, "and should have", "fairshare ledger fund"),
        ("config", lambda w, h: w.enact(NODE_CONFIG.replace("epochs = 1", "epochs = 2")), "not accepted", "fairshare node init"),
        (
            "config",
            _rewrite(lambda h: accepted(h) / "federation.toml", "[federation\n"),
            "federation.toml",
            "fairshare node init",
        ),
        ("config", lambda w, h: (accepted(h) / "task" / "parity.py").write_text("x = 1\n"), "changed", "fairshare node init"),
        ("data", _settings(data="many"), "many", "node.toml"),
        ("data", _fewer_samples, "16 samples, the invitation allows 3", "node.toml"),
        (
            "aggregator",
            _settings(federation_url="http://127.0.0.1:1"),
            "no aggregator answers",
            "federation_url",
        ),
        ("aggregator", _sick_service, "has trouble: no chain", "tell the operator"),
        ("aggregator", _another_federation, "serves ledger", "federation_url"),
    ],
)
def test_what_is_broken_is_found(
    world: World, broken: str, break_it: Callable[[World, NodeHome], object], said: str, mend: str
) -> None:
    home = world.node(0)
    break_it(world, home)
    findings = look(world, home)
    assert broken in ill(findings)
    assert said in findings[broken].found
    assert mend in findings[broken].mend
    # What stands on it is not checked, and nothing else is affected.
    affected = {broken}
    for check in CHECKS:
        affected |= {check.name} if affected & set(check.needs) else set()
    states = {name: finding.state for name, finding in findings.items() if name != broken}
    assert states == {name: State.SKIPPED if name in affected else State.WELL for name in states}


def test_a_task_that_does_not_run_on_this_machine_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    home = world.node(0)
    for module in [name for name in sys.modules if name.startswith("_fairshare_task_")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "learning.scores", None)  # as a package that is not installed
    findings = look(world, home)
    assert ill(findings) == ["task"]
    assert "parity.py, line" in findings["task"].found
    assert "install the Python packages" in findings["task"].mend


def test_a_clock_ten_minutes_off_is_found_either_way(world: World) -> None:
    home = world.node(0)
    for behind, word in ((600, "600 s behind"), (-600, "600 s ahead of")):
        findings = look(world, home, behind)
        assert ill(findings) == ["clock"]
        assert word in findings["clock"].found
        assert "NTP" in findings["clock"].mend
    assert ill(look(world, home, 30)) == []


def test_before_joining_it_says_that_joining_is_next_and_what_coin_is_missing(world: World) -> None:
    home = world.enrolled(0)
    findings = look(world, home)
    assert ill(findings) == ["membership"]
    assert findings["membership"].mend == f"run `fairshare node join {home.path}`"
    _spend(world, home)
    assert ill(look(world, home)) == ["membership", "balance"]
    assert "0.5" in look(world, home)["balance"].found
    assert world.federation.client.minimum_stake() == COIN // 2


def test_a_passphrase_is_tried_only_if_one_is_given(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = world.node(0)
    wrong = tmp_path / "wrong"
    wrong.write_text("no\n")
    (found,) = [f for f in examine(replace(Patient(home), passphrase_file=wrong)) if f.check == "key"]
    assert (found.state, "does not open" in found.found) == (State.ILL, True)
    monkeypatch.delenv("FAIRSHARE_PASSPHRASE")
    (found,) = [f for f in examine(Patient(home)) if f.check == "key"]
    assert (found.state, "not tried" in found.found) == (State.WELL, True)


def test_the_command_tells_all_findings_and_ends_with_its_code(world: World) -> None:
    home = world.node(0)
    _chain_down(world, home)
    told = CliRunner().invoke(app, ["doctor", str(home.path), "--json"])
    assert told.exit_code == 60
    found = json.loads(told.stdout)
    assert (found["schema_version"], found["well"]) == (1, False)
    assert [finding["check"] for finding in found["findings"]] == NAMES
    shown = CliRunner().invoke(app, ["doctor", str(home.path)])
    assert shown.exit_code == 60
    assert "NO  chain: no chain answers" in shown.stdout
    assert "to mend it: set rpc_url" in shown.stdout
    assert shown.stdout.endswith("to mend: chain\n")
