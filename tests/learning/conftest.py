import pytest
import torch

from learning.loading import load_task
from learning.source import read_task_source
from learning.task import Task
from tests.learning.tasks import Line


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> Task:
    return load_task(read_task_source("digits"))


@pytest.fixture
def line() -> Line:
    return Line()
