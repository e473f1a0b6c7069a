"""The face of the house: what the README shows works, the names for tasks are there, help is light, bad options are refused."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fairshare
from learning.calls import load_data
from learning.columns import tabular_task
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.training import try_out

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"^    fairshare (\w+ \w+)", README, re.MULTILINE)))


def test_the_task_of_the_readme_trains(tmp_path: Path) -> None:
    (found,) = re.findall(r"```python\n(import .*?)```", README, re.DOTALL)
    (tmp_path / "mine.py").write_text(found)
    rows = np.random.RandomState(0).rand(40, 4)
    lines = [",".join(f"{value:.3f}" for value in row) + f",{int(row.sum() > 2)}" for row in rows]
    (tmp_path / "held-out.csv").write_text("\n".join(lines) + "\n")
    task = load_task(read_task_source(f"{tmp_path / 'mine.py'}:Mine"))
    data = load_data(task, str(tmp_path / "held-out.csv"))
    assert len(data) == 40
    try_out(task, initial_parameters(task, seed=0), data, Recipe("sgd", learning_rate=0.1, batch_size=8, epochs=1))


def test_the_network_of_the_readme_goes_into_the_task_of_a_table(tmp_path: Path) -> None:
    (model,) = re.findall(r"```python\n(    def .*?)```", README, re.DOTALL)
    table = tmp_path / "clean.csv"
    table.write_text("size,colour,outcome\n" + "".join(f"{n},{'red' if n % 3 else 'blue'},{n % 2}\n" for n in range(20)))
    written = tmp_path / "tabular.py"
    written.write_text("import torch\n" + tabular_task(table, "outcome") + "\n" + model)
    task = load_task(read_task_source(f"{written}:Tabular"))
    parameters = initial_parameters(task, seed=0)
    assert [array.shape for array in parameters.values()] == [(8, 3), (8,), (2, 8), (2,)]
    data = load_data(task, f"{table}#1/2 iid")
    assert len(data) == 10
    try_out(task, parameters, data, Recipe("sgd", learning_rate=0.1, batch_size=8, epochs=1))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_is_there(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fairshare", *command.split(), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Example:" in done.stdout


def test_the_names_for_tasks_are_there_and_no_others() -> None:
    assert fairshare.__all__ == sorted(fairshare.__all__)
    assert all(getattr(fairshare, name).__name__ == name for name in fairshare.__all__)
    with pytest.raises(AttributeError, match="it has Category, Data, DataError"):
        _ = fairshare.Tusk


def test_help_loads_nothing_heavy() -> None:
    heavy = {"torch", "web3", "fastapi", "sqlalchemy", "numpy", "eth_abi"}
    code = f"import sys, fairshare.app; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_report_into_nowhere_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fairshare", "demo", "--report", str(tmp_path / "no" / "report.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (11, "")
    assert done.stderr == f"error: {tmp_path / 'no'}: not a directory; check the path\n"
