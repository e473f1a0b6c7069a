"""Tasks on tables: a task file names the columns and fixes what is done with each, so that all nodes do the same.

`fairshare aggregator init --task tabular` writes such a file from a table (`learning.columns`). Its numbers are part of the
task's source, and so of the hash that is on chain: no node scales by figures of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from torch import Tensor, nn
from torch.nn import functional

from learning.data import Data
from learning.errors import DataError
from learning.scores import clipped_squared_error, soft_accuracy
from learning.table import Kind, read_columns
from learning.task import Task

_WORTHLESS = 9.0
"""Squared error, in squared scales of the label, at which a prediction scores 0: three standard deviations of the table."""


@dataclass(frozen=True)
class Number:
    """A column of numbers: a missing value becomes `median`, then `mean` is taken off and the rest divided by `scale`."""

    name: str
    median: float
    mean: float
    scale: float
    kind: ClassVar[Kind] = Kind.NUMBER
    width: ClassVar[int] = 1

    def step(self) -> Any:
        """What scikit-learn does with it; its figures are given, so that fitting learns nothing."""
        return make_pipeline(
            SimpleImputer(strategy="constant", fill_value=self.median, keep_empty_features=True),
            FunctionTransformer(_standardised, kw_args={"mean": self.mean, "scale": self.scale}),
        )


@dataclass(frozen=True)
class Category:
    """A column of text, one input per value; a missing one becomes `most_frequent`, one that is not in `values` all zeros."""

    name: str
    values: tuple[str, ...]
    most_frequent: str
    kind: ClassVar[Kind] = Kind.CATEGORY

    @property
    def width(self) -> int:
        """How many inputs of the model it becomes."""
        return len(self.values)

    def step(self) -> Any:
        """What scikit-learn does with it; its values are given, so that fitting learns nothing."""
        return make_pipeline(
            SimpleImputer(missing_values=None, strategy="constant", fill_value=self.most_frequent, keep_empty_features=True),
            OneHotEncoder(categories=[list(self.values)], handle_unknown="ignore", sparse_output=False),
        )


class TabularTask(Task):
    """Predicts `label` from `columns`: the class of a Category, or the value of a Number in units of its scale.

    Sources are paths of CSV or Parquet files with all these columns, others are ignored. "table.csv#3/8" is the third of
    eight label-skewed shares of a table (of even ones with " iid" behind it, or if the label is a number).

    A subclass sets `label` and `columns`; it may bring a `model` of its own, which takes `inputs` numbers and gives `outputs`.
    """

    label: ClassVar[Number | Category]
    columns: ClassVar[Sequence[Number | Category]]

    @property
    def inputs(self) -> int:
        """How many numbers a row becomes."""
        return sum(column.width for column in self.columns)

    @property
    def outputs(self) -> int:
        """How many numbers the model gives per row: one per class, or the one that it predicts."""
        return self.label.width

    def model(self) -> nn.Module:
        """One hidden layer of 32 with a ReLU."""
        return nn.Sequential(nn.Linear(self.inputs, 32), nn.ReLU(), nn.Linear(32, self.outputs))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy; mean squared error where the label is a number."""
        if isinstance(self.label, Category):
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs, targets)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Probability of the true class; where the label is a number, the squared error, worth nothing from three scales on."""
        if isinstance(self.label, Category):
            return soft_accuracy(outputs, targets)
        return clipped_squared_error(outputs, targets, _WORTHLESS)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether the class is right; where the label is a number, whether the error is below half its scale."""
        if isinstance(self.label, Category):
            return super().correct(outputs, targets)
        return (outputs - targets).abs()[:, 0] < 0.5

    def load(self, source: str | None) -> Data:
        """The table at a path, or a share of it. Raises `DataError` for one that has not all columns, or what cannot be."""
        if not source:
            raise DataError("no table is named: give the path of a CSV or Parquet file (--data)")
        name, _, share = source.partition("#")
        read = read_columns(Path(name), {column.name: column.kind for column in (*self.columns, self.label)})
        return self.share(Data(torch.from_numpy(self._features(read)), self._targets(name, read[self.label.name])), share)

    def _features(self, read: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        # Column by column, so that numbers stay numbers: one array of both would hold objects.
        parts = []
        for column in self.columns:
            transformer = ColumnTransformer([(column.name, column.step(), [0])])
            parts.append(transformer.fit_transform(read[column.name][:, None]))
        features: NDArray[np.float32] = np.concatenate(parts, axis=1).astype(np.float32)
        return features

    def _targets(self, source: str, values: NDArray[Any]) -> Tensor:
        label = self.label
        if isinstance(label, Number):
            _none_missing(source, label.name, np.isnan(values))
            return torch.from_numpy(_standardised(values, label.mean, label.scale).astype(np.float32))[:, None]
        _none_missing(source, label.name, np.array([value is None for value in values]))
        index = {value: position for position, value in enumerate(label.values)}
        unknown = sorted({value for value in values if value not in index})
        if unknown:
            raise DataError(
                f"{source}: the label {label.name!r} is {', '.join(map(repr, unknown[:5]))} in some rows, the task knows "
                f"{', '.join(map(repr, label.values))}: correct or leave out those rows"
            )
        return torch.tensor([index[value] for value in values], dtype=torch.int64)


def _standardised(values: NDArray[np.float64], mean: float, scale: float) -> NDArray[np.float64]:
    return (values - mean) / scale


def _none_missing(source: str, name: str, missing: NDArray[np.bool_]) -> None:
    if missing.any():
        first = int(missing.argmax()) + 1
        raise DataError(f"{source}: the label {name!r} is missing in {missing.sum()} rows, row {first} first: leave them out")
