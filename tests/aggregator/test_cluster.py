import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.cluster import RayExecutor
from aggregator.errors import ClusterError
from aggregator.evaluation.contributions.estimators import krige, leverage
from aggregator.evaluation.contributions.game import HERE
from aggregator.evaluation.contributions.round_game import RoundGame
from learning.errors import TaskError
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.source import read_task_source

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'fairshare[ray]'")


@pytest.fixture(scope="module")
def executor() -> Iterator[RayExecutor]:
    """A cluster of two cores, started as a user starts one, and ended with this module."""
    folder = tempfile.mkdtemp(prefix="fs-", dir="/tmp")  # sockets are made in it, whose paths must be short
    options = ("--head", "--block", "--port=0", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats")
    command = [str(Path(sys.executable).with_name("ray")), "start", *options, f"--temp-dir={folder}"]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    os.environ["RAY_AUTH_MODE"] = "disabled"
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"--address='([0-9.:]+)'", line):
                break
        else:
            pytest.fail(f"ray did not start: {said}")
        yield RayExecutor(found[1])
    finally:
        ray.shutdown()
        process.terminate()
        process.communicate()


@dataclass(frozen=True)
class Square:
    """Squares the numbers of a block."""

    def __call__(self, block: tuple[int, ...]) -> list[int]:
        return [number * number for number in block]


@dataclass(frozen=True)
class KilledOnce(Square):
    """The first time that it meets a block with a 5, the worker's process is killed in the midst of it."""

    marker: Path

    def __call__(self, block: tuple[int, ...]) -> list[int]:
        if 5 in block:
            try:
                self.marker.touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(block)


@dataclass(frozen=True)
class Killed(Square):
    """Kills every worker that tries."""

    def __call__(self, block: tuple[int, ...]) -> list[int]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


@dataclass(frozen=True)
class Failing(Square):
    """Raises an error of the family."""

    def __call__(self, block: tuple[int, ...]) -> list[int]:
        raise TaskError("Mine.score must lie in [0, 1]")


BLOCKS = [(k, k + 1) for k in range(0, 40, 2)]
SQUARES = [[k * k, (k + 1) ** 2] for k in range(0, 40, 2)]


def test_results_come_in_the_order_of_the_blocks(executor: RayExecutor) -> None:
    assert list(executor.map(Square(), BLOCKS)) == SQUARES
    assert list(executor.map(Square(), iter(BLOCKS))) == SQUARES
    assert list(executor.map(Square(), [])) == []


def test_a_lost_worker_costs_a_retry_and_nothing_else(executor: RayExecutor, tmp_path: Path) -> None:
    marker = tmp_path / "killed"
    assert list(executor.map(KilledOnce(marker), BLOCKS)) == SQUARES
    assert marker.exists()


def test_a_block_that_kills_every_worker_is_an_error_and_never_left_out(
    executor: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_task", executor._task.options(max_retries=0))  # each retry waits for a new worker
    with pytest.raises(ClusterError, match=r"was lost during an evaluation .*; start it again"):
        list(executor.map(Killed(), BLOCKS[:1]))
    assert list(executor.map(Square(), BLOCKS)) == SQUARES


def test_an_error_of_the_work_arrives_as_it_was_raised(executor: RayExecutor) -> None:
    with pytest.raises(TaskError, match=r"Mine.score must lie in \[0, 1\]"):
        list(executor.map(Failing(), BLOCKS))


def test_the_evaluation_gives_the_same_integers_on_the_cluster(executor: RayExecutor) -> None:
    task = load_task(read_task_source("digits"))
    random = np.random.RandomState(1)
    base = initial_parameters(task, seed=1)
    updates = [{name: random.normal(0, 0.05, array.shape).astype(np.float32) for name, array in base.items()} for _ in range(13)]
    shards = (task.load("root"), task.load("evaluation").take(np.arange(30)))
    found = []
    for resources in (HERE, replace(HERE, executor=executor)):
        game = RoundGame(task, shards, base, updates, [*range(1, 14)], replace(resources, memory=1 << 19))
        found.append((krige(game, 60, bytes(32)), leverage(game, 100, bytes(32)), game.utilities))
    assert found[0] == found[1]
    assert len(found[0][2]) > 100


def test_without_a_cluster_there_is_an_error_that_says_what_to_do() -> None:
    code = "from aggregator.cluster import RayExecutor; RayExecutor('127.0.0.1:1')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "no Ray cluster answers at '127.0.0.1:1'" in ended.stderr
    assert "start one with `ray start --head`" in ended.stderr


def test_a_loaded_task_is_pickled_as_its_source(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import Mine\n")
    (package / "inner.py").write_text(
        "import torch\nfrom learning.task import Task\n\nclass Mine(Task):\n    model = loss = score = load = None\n"
    )
    task = load_task(read_task_source(f"{package}:Mine"))
    code = "import pickle, sys; print(type(pickle.load(sys.stdin.buffer)).__name__)"
    ended = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(task), capture_output=True, check=True)
    assert ended.stdout.strip() == b"Mine"
