"""Ctrl-C of what serves or goes on until it is told to stop: while it starts and while it serves, with nothing left behind."""

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from aggregator.home import AggregatorHome
from aggregator.scorer.home import ScorerHome, ScorerSettings
from ledger.wallet import Wallet
from tests.aggregator.service.support import Stage, founded, stage
from tests.support.chain import PASSPHRASE, account
from tests.support.nodes import finished_home
from tests.support.processes import PATIENCE
from tests.system.test_interrupt import interrupted, running, silent_url

__all__ = ["founded", "stage"]


def until_imported(process: subprocess.Popen[str], module: str) -> None:
    """Read what -X importtime tells until a module is there."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.rsplit("|", 1)[-1].strip() == module:
            return
    raise AssertionError(f"{module} was never imported")


def scorer_of(stage: Stage, directory: Path) -> ScorerHome:
    home = ScorerHome(directory / "scorer")
    Wallet.create(home.key, PASSPHRASE, bytes(account("scorer").key), scrypt_n=2)
    deployment, url = stage.federation.deployment, stage.chain.url
    home.write_settings(ScorerSettings(ledger=deployment.ledger, rpc_url=url, chain_id=deployment.chain_id, port=0))
    return home


@pytest.mark.parametrize("module", ["ledger.errors", "aggregator.service.server"])
def test_an_aggregator_that_starts(module: str, stage: Stage) -> None:
    command = ("aggregator", "serve", stage.home.path)
    with running(*command, python=("-X", "importtime"), FAIRSHARE_PASSPHRASE=PASSPHRASE) as process:
        until_imported(process, module)
        code, out, err = interrupted(process)
    assert (code, out, "error: stopped" in err) == (130, "", True)


@pytest.mark.parametrize(("service", "starts"), [("aggregator", 2), ("scorer", 1)])
def test_a_service_that_serves_and_the_next_start_goes_on(service: str, starts: int, stage: Stage, tmp_path: Path) -> None:
    directory = stage.home.path if service == "aggregator" else scorer_of(stage, tmp_path).path
    for _ in range(starts):
        with running(service, "serve", directory, "--port", "0", "--json", FAIRSHARE_PASSPHRASE=PASSPHRASE) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
            children = psutil.Process(process.pid).children(recursive=True)
            code, _, err = interrupted(process)
        assert code == 0, err
        _, alive = psutil.wait_procs(children, timeout=PATIENCE)
        assert alive == []
    assert not AggregatorHome(stage.home.path).service_file.exists()


def test_a_node_that_waits_for_a_chain_that_does_not_answer(tmp_path: Path) -> None:
    home = finished_home(tmp_path / "node", silent_url(), PASSPHRASE)
    with running("node", "run", home.path, python=("-X", "importtime"), FAIRSHARE_PASSPHRASE=PASSPHRASE) as process:
        until_imported(process, "node.runner")
        code, _, err = interrupted(process)
    assert code == 0
    assert f"stopped; `fairshare node run {home.path}` goes on where it was" in err


def test_a_demo_that_is_being_set_up_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    with running("demo", TMPDIR=str(tmp_path)) as process:
        demo = psutil.Process(process.pid)
        # Its directory is there once it has begun: what it imports before may start a process for a moment too.
        while not (any(tmp_path.iterdir()) and (children := demo.children(recursive=True))):
            assert process.poll() is None
            time.sleep(0.05)
        code, _, err = interrupted(process)
    assert (code, "error: stopped" in err) == (130, True)
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []
    assert list(tmp_path.iterdir()) == []
