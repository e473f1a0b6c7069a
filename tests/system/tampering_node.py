"""`python -m tests.system.tampering_node DIRECTORY`: a whole node that sends what it trained stretched, and the wrong way."""

import sys
from pathlib import Path

import numpy as np

from learning.data import Data
from learning.recipe import Recipe
from learning.task import Task
from learning.training import train
from node.reporter import LineReporter
from node.runner import run
from protocol.parameters import Parameters
from tests.support.chain import PASSPHRASE


def reversed_training(task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
    """Away from what training gives."""
    return {name: np.float32(-6) * array for name, array in train(task, base, data, recipe, seed).items()}


if __name__ == "__main__":
    run(Path(sys.argv[1]), PASSPHRASE, LineReporter(sys.stdout), train=reversed_training)
