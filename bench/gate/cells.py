"""A cell of the grid: which federation, under which attack; and the federation that it names."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from aggregator.simulation.federation import Federation, divide
from aggregator.template import federation_text
from bench.gate.tasks import BreastCancer, Digits, FashionCnn, FashionMlp
from learning.data import Data
from learning.parameters import initial_parameters
from learning.partition import stratified_order
from learning.task import Task
from protocol.config import FederationConfig, parse_config

ROUNDS = 12
_WORK = 2 * 10**9
NODES = 20
TASKS: dict[str, type[Task]] = {
    "fashion-mlp": FashionMlp,
    "fashion-cnn": FashionCnn,
    "digits": Digits,
    "breast-cancer": BreastCancer,
}


@dataclass(frozen=True)
class Sizes:
    """Samples of the nodes together, of the evaluation shard, of the root set and of the test; least samples of a node."""

    training: int
    evaluation: int
    root: int
    test: int
    least: int


_SIZES = {
    "fashion-mlp": Sizes(8000, 400, 1000, 2000, 40),
    "fashion-cnn": Sizes(8000, 400, 1000, 2000, 40),
    "digits": Sizes(1050, 340, 100, 300, 10),
    "breast-cancer": Sizes(309, 80, 80, 100, 5),
}


@dataclass(frozen=True)
class Cell:
    """`alpha`: Dirichlet's, None for IID. `attack`: a name of the library, "none" for none. `share` of the nodes is malicious."""

    task: str
    alpha: float | None
    share: float
    attack: str
    seed: int

    @property
    def name(self) -> str:
        """Names the cell in files and tables."""
        skew = "iid" if self.alpha is None else f"dir{self.alpha:g}"
        return f"{self.task}_{skew}_{round(100 * self.share):02d}_{self.attack}_s{self.seed}"


def config() -> FederationConfig:
    """The config that `fairshare aggregator init` writes, but for the work put into pay: a hundred coalitions or so are enough to
    say what a group of attackers earns over many rounds.
    """
    text = federation_text("bench", "Bench")
    return parse_config(re.sub(r"(?m)^work = [0-9]+", f"work = {_WORK}", text))


@cache
def federation(task_name: str, alpha: float | None, seed: int) -> tuple[Federation, Data]:
    """The federation of these settings, and the test data that no aggregator sees."""
    task, sizes = TASKS[task_name](), _SIZES[task_name]
    train, test = task.load("train"), task.load("test")
    order = stratified_order(train.targets.numpy(), 1000 + seed)
    parts = np.split(order[: sizes.training + sizes.evaluation + sizes.root], [sizes.training, sizes.training + sizes.evaluation])
    nodes = divide(train.take(parts[0]), NODES, alpha, seed, sizes.least)
    tested = test.take(stratified_order(test.targets.numpy(), 5)[: sizes.test])
    base = initial_parameters(task, seed)
    return Federation(task, config(), base, nodes, (train.take(parts[1]),), train.take(parts[2])), tested
