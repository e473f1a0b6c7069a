import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from learning.calls import load_data
from learning.errors import TaskImportError
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import TaskSource, read_task_source
from learning.task import Task
from learning.training import evaluate, train

MINE = """
import torch
from learning.data import Data
from learning.scores import clipped_margin
from learning.task import Task

class Mine(Task):
    version = 1
    def model(self):
        return torch.nn.Linear(2, 2)
    def loss(self, outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets)
    def score(self, outputs, targets):
        return clipped_margin(outputs, targets)
    def load(self, source):
        x = torch.tensor([[0.0, 1.0], [1.0, 0.0]] * 8)
        return Data(x, x.argmax(1))
"""

EMPTY = """
from learning.task import Task
class Mine(Task):
    pass
"""


def _load(texts: Mapping[str, str], entry: str = "Mine") -> Task:
    return load_task(TaskSource.from_texts(entry, texts))


def test_a_users_own_file_is_trained_and_evaluated(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    task = load_task(read_task_source(f"{tmp_path}/mine.py:Mine"))
    data, base = load_data(task, None), initial_parameters(task, 1)
    update = train(task, base, data, Recipe("adam", 0.1, batch_size=4, epochs=5), seed=1)
    assert evaluate(task, {name: base[name] + update[name] for name in base}, data).accuracy == 1.0


def test_every_built_in_takes_the_same_way_as_a_users_package() -> None:
    task = load_task(read_task_source("digits"))
    assert type(task).__name__ == "Digits"
    assert not type(task).__module__.startswith("learning")


def test_two_versions_live_side_by_side() -> None:
    first = _load({"mine.py": MINE})
    second = _load({"mine.py": MINE.replace("version = 1", "version = 2")})
    third = _load({"mine.py": MINE})
    assert [task.version for task in (first, second, third)] == [1, 2, 1]  # type: ignore[attr-defined]
    assert type(first) is type(third)
    assert first is not third


def test_relative_imports_work_within_a_package() -> None:
    task = _load(
        {
            "__init__.py": "from .inner.mine import Mine",
            "inner/__init__.py": "from ..values import VALUE",
            "inner/mine.py": MINE + "    from . import VALUE\n    from .. import values\n    other = values.VALUE\n",
            "values.py": "VALUE = 41",
        }
    )
    assert (task.VALUE, task.other) == (41, 41)  # type: ignore[attr-defined]


def test_a_file_is_no_package_and_a_package_imports_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskImportError, match=r"line 1: ImportError"):
        _load({"mine.py": "from . import helper\n" + MINE})
    with pytest.raises(TaskImportError, match=r"line 1: ModuleNotFoundError.*No module named 'helper_of_mine'"):
        _load({"mine.py": "import helper_of_mine\n" + MINE})
    with pytest.raises(TaskImportError, match=r"line 1: ImportError: cannot import name 'helper'"):
        _load({"__init__.py": "from . import helper\n" + MINE})


def test_nothing_is_read_from_disk_after_the_hash(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    source = read_task_source(f"{file}:Mine")
    file.write_text("raise SystemExit('changed after it was hashed')")
    assert load_task(source).version == 1  # type: ignore[attr-defined]


def test_tracebacks_and_inspect_show_the_tasks_lines() -> None:
    task = _load({"mine.py": MINE + "    def correct(self, outputs, targets):\n        return 1 // 0\n"})
    assert "return clipped_margin(outputs, targets)" in inspect.getsource(type(task))
    with pytest.raises(ZeroDivisionError) as caught:
        task.correct(torch.ones(1), torch.ones(1))
    assert "return 1 // 0" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("texts", "file", "line", "problem"),
    [
        ({"mine.py": "x = 1\ndef broken(:\n"}, "mine.py", 2, "SyntaxError"),
        ({"mine.py": "x = 1\n\nraise ValueError('no')"}, "mine.py", 3, "ValueError: no"),
        ({"mine.py": "import sys\nsys.exit(3)"}, "mine.py", 2, "SystemExit: 3"),
        ({"mine.py": "import no_such_module_here"}, "mine.py", 1, "install it, or put the file into"),
        ({"__init__.py": "from . import inner", "inner.py": "\n1 / 0"}, "inner.py", 2, "ZeroDivisionError"),
        ({"__init__.py": "from . import inner", "inner.py": "\n)"}, "inner.py", 2, "SyntaxError"),
        ({"mine.py": "Mine = None"}, "mine.py", None, "no class Mine; the tasks in it are none"),
        ({"mine.py": MINE.replace("Mine", "Yours")}, "mine.py", None, r"the tasks in it are \['Yours'\]"),
        ({"mine.py": "class Mine: pass"}, "mine.py", None, "not a subclass of fairshare.Task"),
        ({"mine.py": "def Mine(): pass"}, "mine.py", None, "not a subclass"),
        ({"mine.py": "from learning.task import Task as Mine"}, "mine.py", None, "not a subclass"),
        ({"__init__.py": EMPTY}, "__init__.py", None, "does not implement load, loss, model, score"),
        ({"mine.py": MINE + "    def __init__(self, size):\n        pass\n"}, "mine.py", None, "TypeError.*'size'"),
        ({"mine.py": MINE + "    def __init__(self):\n        raise OSError('x')\n"}, "mine.py", 19, "OSError: x"),
    ],
)  # fmt: skip
def test_every_failure_names_the_file(texts: Mapping[str, str], file: str, line: int | None, problem: str) -> None:
    with pytest.raises(TaskImportError, match=problem) as caught:
        _load(texts)
    assert (caught.value.file, caught.value.line) == (file, line)
    assert str(caught.value).startswith(f"task file {file}")


def test_a_failed_import_leaves_nothing_behind() -> None:
    before = set(sys.modules)
    with pytest.raises(TaskImportError, match="line 2: ValueError"):
        _load({"__init__.py": "from . import inner\nraise ValueError", "inner.py": "import json"})
    assert not [name for name in set(sys.modules) - before if name.startswith("_fairshare_task_")]
    with pytest.raises(TaskImportError, match="line 2: ValueError"):
        _load({"__init__.py": "from . import inner\nraise ValueError", "inner.py": "import json"})
