"""What a node brings to every round: the task it runs, its own data, the federation's recipe, and how it trains with them."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from learning.calls import load_data
from learning.data import Data
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.task import Task
from learning.training import Progress, train
from node.home import AcceptedTerms
from protocol.config import RecipeSection
from protocol.parameters import Parameters, TensorLayout, layout_of

_SEED_TAG = b"fairshare/training-seed/1"


class Trainer(Protocol):
    """Makes an update (trained minus base) from a base model and the node's own data; `seed` is 0 … 2^64 - 1."""

    def __call__(self, task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
        """Train once."""


@dataclass(frozen=True)
class Workplace:
    """Task, data and recipe of a node, the same in all rounds."""

    task: Task
    data: Data
    recipe: Recipe
    layout: tuple[TensorLayout, ...]


def set_up(terms: AcceptedTerms, source: str | None) -> Workplace:
    """Run the accepted task's code for the first time and load the node's data.

    Raises `TaskError`, `DataError`, `RecipeError`, `ParameterError`.
    """
    task = load_task(terms.task)
    layout = layout_of(initial_parameters(task, seed=0))
    return Workplace(task, load_data(task, source), recipe_of(terms.config.recipe), layout)


def recipe_of(section: RecipeSection) -> Recipe:
    """The config's recipe in learning's terms: billionths become floats."""
    return Recipe(
        optimizer=section.optimizer,
        learning_rate=section.learning_rate / 10**9,
        batch_size=section.batch_size,
        epochs=section.epochs,
        momentum=section.momentum / 10**9,
        weight_decay=section.weight_decay / 10**9,
    )


def training_seed(signing_key: bytes, federation: bytes, round_number: int) -> int:
    """HMAC-SHA256 of (tag ‖ federation ‖ round) under the signing key, its first 8 bytes.

    Nobody else can predict the order of a node's samples, while a training that was cut off by a crash starts again as the
    same one.
    """
    message = _SEED_TAG + federation + round_number.to_bytes(8)
    return int.from_bytes(hmac.digest(signing_key, message, hashlib.sha256)[:8])


def showing(on_progress: Callable[[Progress], None]) -> Trainer:
    """The federation's local training, telling its progress."""

    def trainer(task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
        return train(task, base, data, recipe, seed, on_progress)

    return trainer
