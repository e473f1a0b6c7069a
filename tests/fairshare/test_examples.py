"""The example tasks are whole: each loads its data, trains in a federation of three, is evaluated, merged and paid."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from aggregator.evaluation.round import evaluate_round
from learning.calls import load_data
from learning.data import Data
from learning.errors import DataError
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.task import Task
from learning.training import evaluate, train
from protocol.shares import SCORE_TOTAL
from tests.support.rounds import Federation, Sent, make_round

EXAMPLES = Path(__file__).parents[2] / "examples"
TASKS = {"convolution": "Convolution", "residual": "Residual", "batch_norm": "BatchNorm"}
NODES, ROUNDS = 3, 3


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@cache
def task_of(name: str) -> Task:
    return load_task(read_task_source(f"{EXAMPLES / name}.py:{TASKS[name]}"))


def test_every_example_is_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_three_rounds_make_a_better_model_and_are_paid(name: str) -> None:
    task = task_of(name)
    held_out, root = load_data(task, "#1/8 iid"), load_data(task, "#2/24 iid")
    nodes = [load_data(task, f"#{number}/6 iid") for number in range(2, 2 + NODES)]
    base = initial_parameters(task, 0)
    before = evaluate(task, base, held_out)
    for number in range(1, ROUNDS + 1):
        updates = [
            train(task, base, data, Recipe("sgd", 0.05, 16, 5, momentum=0.9 if name == "residual" else 0.5), number)
            for data in nodes
        ]
        sent = [Sent(update, len(data)) for update, data in zip(updates, nodes, strict=True)]
        seed = hashlib.sha256(bytes([number])).digest()
        outcome = evaluate_round(make_round(Federation(task, base, (held_out,), root), sent, seed=seed))
        assert sum(outcome.scores) == (SCORE_TOTAL if outcome.total_basis else 0)  # a round that gains nothing pays nobody
        assert number > 1 or outcome.total_basis
        assert all(node.weight for node in outcome.nodes)
        base = outcome.merged
    after = evaluate(task, base, held_out)
    assert outcome.utility_all == after.score
    assert after.accuracy > 0.75, (before, after)
    assert after.mean_score > before.mean_score + 0.2, (before, after)
    for tensor, array in base.items():
        assert np.isfinite(array).all(), tensor
        assert "running_var" not in tensor or (array > 0).all()


def test_batch_norm_is_trained_whatever_is_left_for_the_last_batch() -> None:
    task = task_of("batch_norm")
    data = load_data(task, None)
    base = initial_parameters(task, 0)
    for samples in (2, 33, 48):  # batches of 16 would leave 2, 1 and none
        update = train(task, base, data.take(np.arange(samples)), Recipe("sgd", 0.1, 16, 1), 0)
        assert any(array.any() for tensor, array in update.items() if "running" in tensor)


@pytest.mark.parametrize("name", TASKS)
def test_a_file_of_ones_own_is_loaded(name: str, tmp_path: Path) -> None:
    task = task_of(name)
    few = load_data(task, None).take(np.arange(5))
    path = tmp_path / "own.csv"
    columns = few.features.flatten(1).numpy()
    raw = np.exp(columns) - 0.01 if name == "batch_norm" else columns * 16
    header = "header\n" if name == "batch_norm" else ""
    lines = [",".join([*(f"{value:.6f}" for value in row), f"{label}"]) for row, label in zip(raw, few.targets, strict=True)]
    path.write_text(header + "\n".join(lines) + "\n")
    own = load_data(task, str(path))
    assert isinstance(own, Data)
    assert own.targets.equal(few.targets)
    assert np.abs(own.features.numpy() - few.features.numpy()).max() < 1e-3
    with pytest.raises(DataError, match="is no share"):
        load_data(task, f"{path}#half")
    with pytest.raises(DataError, match=r"none\.csv"):
        load_data(task, str(tmp_path / "none.csv"))
