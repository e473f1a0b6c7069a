"""The real `serve` process: started, killed at several phases, started again; and everything that keeps it from starting."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from aggregator.cli import app
from aggregator.template import with_values
from ledger.deployment import deployment_path
from ledger.records import RoundState
from ledger.wallet import Wallet
from protocol.client import FederationClient
from tests.aggregator.service.support import Stage, make_update
from tests.support.chain import PASSPHRASE, account
from tests.support.processes import PATIENCE, until

_SERVE = [sys.executable, "-c", "from aggregator.cli import app; app()", "serve"]


def start(home: Path, *options: str, passphrase: str = PASSPHRASE) -> subprocess.Popen[str]:
    environment = {**os.environ, "FAIRSHARE_PASSPHRASE": passphrase, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*_SERVE, str(home), "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@dataclass
class Running:
    """A `serve` process and its API."""

    process: subprocess.Popen[str]
    client: FederationClient


@contextmanager
def running(stage: Stage) -> Iterator[Running]:
    """Start it, wait until it answers; killed at the end, if it has not ended by itself."""
    process = start(stage.home.path, "--port", "0")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        with FederationClient(json.loads(line)["url"]) as client:
            client.health()
            yield Running(process, client)
    finally:
        process.kill()
        process.communicate()


def refused(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and stderr of a process that does not start."""
    output, complaint = process.communicate(timeout=PATIENCE)
    assert output == ""
    assert "Traceback" not in complaint
    return process.returncode, complaint


def test_a_round_survives_the_kill_of_the_service_in_every_waiting_phase(stage: Stage) -> None:
    ledger, seen = stage.ledger, []
    with running(stage) as service:
        until(lambda: bool(service.client.rounds()))
        sent = [make_update(ledger.domain, service.client.round(1), node) for node in (0, 1)]
        receipt = service.client.commit(sent[0].update, sent[0].signature)
    with running(stage) as service:
        assert service.client.commit(sent[0].update, sent[0].signature) == receipt
        service.client.commit(sent[1].update, sent[1].signature)
        until(lambda: service.client.round(1).state == "closed")
        service.client.reveal(1, 0, sent[0].salt, sent[0].body)
    with running(stage) as service:
        assert service.client.upload(1, 0).revealed
        service.client.reveal(1, 1, sent[1].salt, sent[1].body)
        # Killed while the evaluation is at work, which must not go on for ever without it.
        at_work = psutil.Process(service.process.pid)
        # The fork server, the evaluation, and what keeps track of both's resources.
        until(lambda: len(at_work.children(recursive=True)) == 3)
        left = at_work.children(recursive=True)
    _, alive = psutil.wait_procs(left, timeout=PATIENCE)
    assert alive == []
    with running(stage) as service:
        until(lambda: service.client.round(1).state == "proposed")
        seen.append(ledger.round(1).evidence_root)
    stage.chain.advance(50)
    with running(stage) as service:
        until(lambda: service.client.round(1).state == "final")
        final = service.client.round(1)
        assert final.evidence_root == seen[0]
        assert (final.commits, final.bodies) == (2, 2)
        until(lambda: service.client.rounds()[0].round == 2)
    count = stage.chain.web3.eth.get_transaction_count(account("aggregator").address)
    assert count == 4  # open, close, propose, and the next round's open: none twice
    assert ledger.round(1).state is RoundState.FINAL


def test_it_says_where_it_serves_and_ends_politely(stage: Stage) -> None:
    with running(stage) as service:
        told = json.loads(stage.home.service_file.read_text())
        assert told == {"pid": service.process.pid, "url": service.client.url}
        code, complaint = refused(start(stage.home.path, "--port", "0"))
        assert (code, "stop it first" in complaint) == (47, True)
        assert json.loads(stage.home.service_file.read_text()) == told
        taken = service.client.url.rpartition(":")[2]
        service.process.send_signal(signal.SIGTERM)
        _, log = service.process.communicate(timeout=PATIENCE)
        assert service.process.returncode == 0
        assert not stage.home.service_file.exists()
        assert PASSPHRASE not in log
        events = [json.loads(line)["event"] for line in log.splitlines()]
        assert events[-1] == "stopping"
        assert taken.isdigit()


def test_what_keeps_it_from_starting_is_said_in_a_sentence(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    home = stage.home
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)

    def attempt(*options: str) -> tuple[int, str]:
        answer = CliRunner().invoke(app, ["serve", str(home.path), *options])
        assert answer.stdout == ""
        return answer.exit_code, answer.stderr

    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", "wrong")
    assert attempt()[0] == 25
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)
    code, told = attempt("--rpc-url", "http://127.0.0.1:1")
    assert (code, "http://127.0.0.1:1" in told) == (31, True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, told = attempt("--port", str(other.getsockname()[1]))
    assert (code, "another --port" in told) == (44, True)

    home.key("scorer").unlink()
    Wallet.create(home.key("scorer"), PASSPHRASE, bytes(account("stranger").key), scrypt_n=2)
    code, told = attempt()
    assert (code, "is not a scorer" in told) == (14, True)

    other_founding = stage.federation.founding.model_copy(update={"genesis_model": b"\x01" * 32})
    home.founding_file.write_text(other_founding.model_dump_json())
    code, told = attempt()
    assert (code, "genesis model" in told) == (14, True)

    deployment_path(home.path, stage.chain.chain_id).unlink()
    code, told = attempt()
    assert (code, "fairshare ledger deploy" in told) == (16, True)

    home.settings_file.write_text(with_values(home.settings_file.read_text(), {"port": 70_000, "prot": 1}))
    code, told = attempt()
    assert (code, "port" in told, "prot" in told) == (10, True, True)
