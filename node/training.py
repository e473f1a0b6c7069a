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
from learning.training import Progress, train, try_out
from node.errors import TooMuchData
from node.home import Terms
from protocol.parameters import Parameters, TensorLayout, layout_of

_SEED_TAG = b"fairshare/training-seed/1"


class Trainer(Protocol):
    """Makes an update (trained minus base) from a base model and the node's own data; `seed` is 0 … 2^64 - 1."""

    def __call__(self, task: Task, base: Parameters, data: Data, recipe: Recipe, seed: int) -> Parameters:
        """Train once."""


@dataclass(frozen=True)
class Workplace:
    """Task, data and recipe of a node, the same in all rounds that open with the same terms."""

    task: Task
    data: Data
    recipe: Recipe
    layout: tuple[TensorLayout, ...]

    def fits(self, max_samples: int) -> None:
        """Raise `TooMuchData` if no update trained on all of this data could be accepted."""
        if len(self.data) > max_samples:
            raise TooMuchData(len(self.data), max_samples)

    def try_out(self) -> None:
        """Take one training step. Raises `TaskError`, `TrainingError` if task, data and recipe do not go together."""
        try_out(self.task, initial_parameters(self.task, seed=0), self.data, self.recipe)


def set_up(terms: Terms, source: str | None) -> Workplace:
    """Run the code of a task that was accepted, and load the node's data.

    Raises `TaskError`, `DataError`, `RecipeError`, `ParameterError`.
    """
    task = load_task(terms.task)
    layout = layout_of(initial_parameters(task, seed=0))
    return Workplace(task, load_data(task, source), Recipe.from_config(terms.config.recipe), layout)


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
