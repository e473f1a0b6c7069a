"""What the demo's liars do instead of training. The product has no such options: only these processes do."""

from collections.abc import Mapping

import numpy as np
import torch

from fairshare.demo.cast import FREE_RIDER, LABEL_FLIPPER, NAN
from learning.data import Data
from learning.recipe import Recipe
from learning.task import Task
from learning.training import train
from node.training import Trainer
from protocol.parameters import Parameters


def send_zeros(task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
    """Do no work at all and hope to be paid."""
    return {name: np.zeros_like(array) for name, array in base.items()}


def send_nan(task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
    """Send what would destroy a model that is averaged without looking."""
    return {name: np.full_like(array, np.nan) for name, array in base.items()}


def flip_labels(task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
    """Train honestly on dishonest data: every class is called by its mirror image (0 is 9, 1 is 8 …)."""
    top = int(torch.max(data.targets))
    return train(task, base, Data(data.features, top - data.targets), recipe, seed)


TRAINERS: Mapping[str, Trainer] = {FREE_RIDER: send_zeros, NAN: send_nan, LABEL_FLIPPER: flip_labels}
