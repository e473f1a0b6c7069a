"""`fairshare demo` as a stranger runs it: what it reports is what chain, REST and command line say, and what fairness asks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from protocol.client import FederationClient
from tests.support.processes import PATIENCE

_SCORE_TOTAL = 10_000_000


class Demo(NamedTuple):
    report: dict[str, Any]
    federation: Path
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo with --keep, once its report is there."""
    directory = tmp_path_factory.mktemp("demo")
    log, report = directory / "demo.log", directory / "report.json"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "fairshare", "demo", "--keep", "--report", str(report)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(directory)},
        )
    try:
        while "left running" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        found = re.search(r"ledger status --federation (\S+)", log.read_text())
        assert found is not None
        yield Demo(json.loads(report.read_text()), Path(found[1]), process)
    finally:
        process.terminate()
        process.wait()


def _command(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "fairshare", *arguments, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _nodes(demo: Demo, role: str) -> list[dict[str, Any]]:
    found = [node for entry in demo.report["rounds"] for node in entry["nodes"] if node["role"] == role]
    assert len(found) >= 5
    return found


def test_five_rounds_are_final_and_the_model_learns(demo: Demo) -> None:
    rounds = demo.report["rounds"]
    assert demo.report["schema_version"] == 1
    assert [entry["state"] for entry in rounds] == ["final"] * 5
    assert all(len(entry["nodes"]) == 8 for entry in rounds)
    assert rounds[-1]["accuracy"] > rounds[0]["accuracy"]
    assert rounds[-1]["accuracy"] > 0.3  # ten classes: guessing gives 0.1


def test_whoever_does_nothing_earns_exactly_nothing(demo: Demo) -> None:
    for node in _nodes(demo, "free-rider"):
        assert (node["contribution"], node["standard_error"], node["score"], node["reward"]) == ("0", "0", "0", "0")
        assert (node["verdict"], node["reason"]) == ("reject", "no-change")


def test_nan_is_refused_with_a_reason_in_every_round(demo: Demo) -> None:
    for node in _nodes(demo, "nan"):
        assert (node["verdict"], node["reason"], node["score"]) == ("reject", "not-finite", "0")


def test_flipped_labels_earn_less_than_any_honest_node_of_their_size(demo: Demo) -> None:
    flipper = sum(int(node["reward"]) for node in _nodes(demo, "label-flipper"))
    honest = sum(int(node["reward"]) for node in _nodes(demo, "honest")) / 5
    assert flipper < honest / 10
    refused = [node["reason"] for node in _nodes(demo, "label-flipper") if node["verdict"] == "reject"]
    assert len(refused) >= 3, "the gate names it, in most rounds"


def test_scores_sum_to_the_total_and_rewards_to_the_pool(demo: Demo) -> None:
    pool = int(demo.report["pool"])
    for entry in demo.report["rounds"]:
        scores = sum(int(node["score"]) for node in entry["nodes"])
        assert scores in (0, _SCORE_TOTAL)
        assert sum(int(node["reward"]) for node in entry["nodes"]) == (pool if scores else 0) == int(entry["minted"])
        assert int(entry["gas"]) > 0


def test_balances_add_up_to_what_was_minted(demo: Demo) -> None:
    balances = {node["address"]: int(node["balance"]) for node in demo.report["nodes"]}
    earned = dict.fromkeys(balances, 0)
    for entry in demo.report["rounds"]:
        for node in entry["nodes"]:
            earned[node["address"]] += int(node["reward"])
    assert balances == earned
    assert sum(balances.values()) == sum(int(entry["minted"]) for entry in demo.report["rounds"])


def test_chain_rest_and_command_line_agree(demo: Demo) -> None:
    numbers = {int(entry["round"]) for entry in demo.report["rounds"]}
    with FederationClient(demo.report["api"]) as client:
        for entry in demo.report["rounds"]:
            told = client.scores(int(entry["round"]))
            assert [(n.address, str(n.score), str(n.reward)) for n in told.nodes] == [
                (n["address"], n["score"], n["reward"]) for n in entry["nodes"]
            ]
        for node in demo.report["nodes"][:2]:
            answer = _command("ledger", "rewards", node["address"], "--federation", str(demo.federation))
            on_chain = {row["round"]: row["tokens"] for row in answer["rounds"] if row["round"] in numbers}
            reported = {
                int(entry["round"]): mine["reward"]
                for entry in demo.report["rounds"]
                for mine in entry["nodes"]
                if mine["address"] == node["address"]
            }
            assert on_chain == {number: reward for number, reward in reported.items() if number in on_chain}
            assert set(on_chain) >= {number for number, reward in reported.items() if reward != "0"}
            assert client.rewards(node["address"]).claimed >= int(node["balance"])


def test_evidence_of_every_round_is_the_one_on_chain(demo: Demo) -> None:
    with FederationClient(demo.report["api"]) as client:
        for entry in demo.report["rounds"]:
            assert "0x" + client.evidence(int(entry["round"])).header.root().hex() == entry["evidence"]


def test_ctrl_c_ends_every_process_and_removes_every_file(demo: Demo) -> None:
    """Last: nothing is left to ask afterwards."""
    children = psutil.Process(demo.process.pid).children(recursive=True)
    assert len(children) >= 10  # chain, aggregator, eight participants
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(timeout=PATIENCE) == 130
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []
    assert not demo.federation.parent.exists()
