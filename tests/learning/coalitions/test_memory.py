"""Updates larger than the memory they may take: mapped from files, read once per block, and never held as a whole."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning.coalitions.mixture import Mixture
from protocol.parameters import encode_parameters

MAPPED = """
import json, resource, sys
from pathlib import Path
import numpy as np, torch
from torch import nn
from learning.coalitions.choice import choose_evaluator
from tests.learning.coalitions.zoo import ZooTask, zoo_data

def mapped(path):
    head = int.from_bytes(path.open("rb").read(8), "little")
    told = json.loads(path.open("rb").read(8 + head)[8:])
    return {
        name: np.memmap(path, np.float32, "r", 8 + head + told[name]["data_offsets"][0], tuple(told[name]["shape"]))
        for name in ("1.weight", "1.bias", "3.weight", "3.bias")
    }

folder, memory, allowed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
build = lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 40_000), nn.ReLU(), nn.Linear(40_000, 3))
updates = [mapped(path) for path in sorted(folder.iterdir())]
task, data = ZooTask(build), zoo_data("dense", 8)
base = {name: np.zeros(array.shape, np.float32) for name, array in updates[0].items()}
nn.Linear(64, 64)(torch.ones(8, 64)).sum().backward()  # whatever torch sets up the first time
private = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1])
# Anonymous memory only: files that are mapped do not count, and copies of them do.
resource.setrlimit(resource.RLIMIT_DATA, (private + allowed, private + allowed))
evaluator = choose_evaluator(task, data, base, updates, [1] * len(updates), memory)
found = evaluator.evaluate(np.eye(len(updates)))
print(evaluator.name, found.scores.sum(1).tolist())
"""
PLAYERS, SIZE = 24, 40_000 * 40 * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Updates of 6.4 MB each, 154 MB in all, as safetensors files."""
    found, random = tmp_path_factory.mktemp("updates"), np.random.default_rng(1)
    for player in range(PLAYERS):
        parts = {"1.weight": (40_000, 36), "1.bias": (40_000,), "3.weight": (3, 40_000), "3.bias": (3,)}
        update = {name: random.standard_normal(shape, np.float32) for name, shape in parts.items()}
        (found / f"{player:02}.safetensors").write_bytes(encode_parameters(update))
    return found


def evaluated(folder: Path, memory: int, allowed: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", MAPPED, str(folder), str(memory), str(allowed)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on private memory is Linux's")
def test_updates_larger_than_memory_are_evaluated_within_it(folder: Path) -> None:
    allowed = 100 << 20
    assert 1.4 * allowed < PLAYERS * SIZE
    within = evaluated(folder, 8 << 20, allowed)
    assert within.returncode == 0, within.stderr
    unbounded = evaluated(folder, 1 << 30, 1 << 30)
    assert unbounded.returncode == 0, unbounded.stderr
    assert evaluated(folder, 1 << 30, allowed).returncode != 0  # the limit would have told
    ours, plain = (np.array(json.loads(one.stdout.split(" ", 1)[1])) for one in (within, unbounded))
    assert np.abs(ours - plain).max() < 60 * 8


class Watched(np.ndarray):
    """Counts the numbers that are read from it."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        found = np.asarray(self)[key]
        Watched.read += found.size
        return found


@pytest.mark.parametrize("rows", [1, 5])
def test_every_update_is_read_once_for_a_block_of_coalitions(rows: int) -> None:
    random = np.random.default_rng(1)
    base = {"weight": random.standard_normal((30, 20), np.float32), "bias": random.standard_normal(30, np.float32)}
    updates = [{name: random.standard_normal(array.shape, np.float32) for name, array in base.items()} for _ in range(7)]
    watched = [{name: array.view(Watched) for name, array in update.items()} for update in updates]
    shares = random.integers(0, 2, (rows, 7)).astype(np.float64)
    mixture = Mixture(base, watched, [1] * 7, memory=4096)
    Watched.read = 0
    found = mixture.parameters(shares)
    assert Watched.read == 7 * 630
    whole = Mixture(base, updates, [1] * 7, memory=1 << 20).parameters(shares)
    for name, tensor in found.items():
        assert np.allclose(tensor, whole[name], atol=1e-6)
    mixture.gram()
    assert Watched.read == 2 * 7 * 630
