import doctest

import numpy as np
import pytest
import torch

import learning.task
from learning.calls import load_data
from learning.data import Data
from learning.errors import DataError, TaskError, UnknownSourceError
from learning.task import Task
from tests.learning.tasks import Line


def test_the_whole_task_in_the_docstring_runs() -> None:
    result = doctest.testmod(learning.task)
    assert result.attempted > 5
    assert result.failed == 0


def test_split_is_label_skewed_for_classes(digits: Task) -> None:
    whole = digits.load("training")
    shares = digits.split(whole, 6, seed=9)
    assert sum(map(len, shares)) == len(whole)
    assert min(map(len, shares)) >= 20
    largest = [np.bincount(share.targets.numpy()).max() / len(share) for share in shares]
    assert max(largest) > 0.25


def test_split_is_even_without_classes(line: Line) -> None:
    shares = line.split(line.load(None), 5, seed=1)
    assert sorted(map(len, shares)) == [12, 13, 13, 13, 13]


def test_split_into_too_many_parts_is_refused(line: Line, digits: Task) -> None:
    for task, data in ((line, line.load(None)), (digits, digits.load("root"))):
        assert len(task.split(data, len(data), seed=1)) == len(data)
        for parts in (0, len(data) + 1):
            with pytest.raises(DataError, match="cannot be divided"):
                task.split(data, parts, seed=1)


def test_the_default_accuracy_is_for_classifications_only(line: Line) -> None:
    right = line.correct(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    assert right.tolist() == [True, False]
    with pytest.raises(TaskError, match="implement correct"):
        line.correct(torch.ones(2, 1), torch.ones(2, 1))


class _Loads(Line):
    def __init__(self, behaviour: object) -> None:
        self.behaviour = behaviour

    def load(self, source: str | None) -> Data:
        if isinstance(self.behaviour, Exception):
            raise self.behaviour
        return self.behaviour  # type: ignore[return-value]


def test_loading_turns_everything_into_the_family() -> None:
    with pytest.raises(DataError, match=r"'a.csv' cannot be read.*No such file"):
        load_data(_Loads(FileNotFoundError(2, "No such file", "a.csv")), "a.csv")
    with pytest.raises(UnknownSourceError, match="no data source 'x': use one of y"):
        load_data(_Loads(UnknownSourceError("x", ["y"])), "x")
    with pytest.raises(TaskError, match=r"_Loads.load failed: KeyError: 'label'"):
        load_data(_Loads(KeyError("label")), "a.csv")
    with pytest.raises(TaskError, match="got tuple"):
        load_data(_Loads((1, 2)), "a.csv")
