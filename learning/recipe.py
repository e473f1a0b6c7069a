"""The recipe: the settings of local training, the same for every node of a federation."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from learning.errors import RecipeError
from protocol.config import RecipeSection

Optimizer = Literal["sgd", "adam"]

_BILLIONTHS = 10**9


@dataclass(frozen=True)
class Recipe:
    """How a node trains in one round.

    `optimizer`: "sgd" or "adam", both without state from round to round. `momentum` belongs to "sgd".
    `batch_size` in samples; the last batch of an epoch may be smaller. `epochs`: passes over the node's own data.

    Raises `RecipeError` if a setting is out of its range.
    """

    optimizer: Optimizer
    learning_rate: float
    batch_size: int
    epochs: int
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer not in get_args(Optimizer):
            raise RecipeError(f"optimizer is {self.optimizer!r}: use one of {', '.join(get_args(Optimizer))}")
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise RecipeError(f"learning_rate is {self.learning_rate}: it must be a positive number")
        if not 0 <= self.momentum < 1:
            raise RecipeError(f"momentum is {self.momentum}: it must be at least 0 and below 1")
        if self.momentum and self.optimizer != "sgd":
            raise RecipeError(f"momentum is {self.momentum}, but {self.optimizer} has none: set it to 0")
        if not (isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise RecipeError(f"weight_decay is {self.weight_decay}: it must be 0 or a positive number")
        for name, value in (("batch_size", self.batch_size), ("epochs", self.epochs)):
            if value < 1:
                raise RecipeError(f"{name} is {value}: it must be at least 1")

    @classmethod
    def from_config(cls, section: RecipeSection) -> "Recipe":
        """The recipe that `federation.toml` fixes. Raises `RecipeError`."""
        return cls(
            section.optimizer,
            learning_rate=section.learning_rate / _BILLIONTHS,
            batch_size=section.batch_size,
            epochs=section.epochs,
            momentum=section.momentum / _BILLIONTHS,
            weight_decay=section.weight_decay / _BILLIONTHS,
        )
