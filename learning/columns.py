"""From a table to the file of its task: which columns there are, and the figures that all nodes scale them by.

The figures come from scikit-learn's own transformers, fitted once, on the operator's table. They are written as Python that
people can read and edit, and that participants are shown before they accept it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from learning.errors import DataError
from learning.table import Kind, infer_kinds, read_columns
from learning.tabular import Category, Number

TABULAR_FILE, TABULAR_CLASS = "tabular.py", "Tabular"

MOST_VALUES = 200
"""A category of more values is taken for an identifier."""

_TEXT = '''"""The columns of a table, and what every node does with them. Written by `fairshare aggregator init`, to be edited.

Drop a column, list its values, or give the class a model() of its own. Participants are shown this file, and its hash goes on
chain, so edit it before `fairshare ledger deploy`, and found the federation on it again by --task path/to/{file}:{entry}
"""

from fairshare import Category, Number, TabularTask


class {entry}(TabularTask):
    """Predicts {label} from {count} columns of a table."""

    label = {label_column}
    columns = (
{columns}
    )
'''


def tabular_task(path: Path, label: str) -> str:
    """The text of the task file for the table at `path`; the same table gives the same text.

    A label of text, truth values or whole numbers (at most `MOST_VALUES` of them) is a class, any other number is a value.
    Raises `DataError` if there is no such label, or a column from which nothing can be learned; `OSError`.
    """
    kinds = infer_kinds(path)
    if label not in kinds:
        raise DataError(f"{path} has no column {label!r} to predict: name one of {', '.join(map(repr, kinds))} by --label")
    if len(kinds) == 1:
        raise DataError(f"{path} has no column but {label!r}: there is nothing to predict it from: add columns")
    read = read_columns(path, kinds)
    if kinds[label] is Kind.NUMBER and _is_whole(read[label]) and len(np.unique(read[label])) <= MOST_VALUES:
        kinds[label] = Kind.CATEGORY
        read[label] = read_columns(path, {label: Kind.CATEGORY})[label]
    described = {name: _described(path, name, values) for name, values in read.items()}
    lines = [f"        {column!r}," for name, column in described.items() if name != label]
    return _TEXT.format(
        file=TABULAR_FILE,
        entry=TABULAR_CLASS,
        label=repr(label).replace('"', "'"),
        count=len(lines),
        label_column=repr(described[label]),
        columns="\n".join(lines),
    )


def _is_whole(values: NDArray[np.float64]) -> bool:
    there = values[~np.isnan(values)]
    return bool(len(there) and np.isfinite(there).all() and (there == np.floor(there)).all())


def _described(path: Path, name: str, values: NDArray[Any]) -> Number | Category:
    if values.dtype == object:
        return _category(path, name, values)
    if not np.isfinite(values).any():
        raise DataError(f"{path}: the column {name!r} holds no number at all: drop it from the table")
    imputer, scaler = SimpleImputer(strategy="median"), StandardScaler()
    scaler.fit(imputer.fit_transform(values[:, None]))
    return Number(name, float(imputer.statistics_[0]), float(scaler.mean_[0]), float(scaler.scale_[0]))


def _category(path: Path, name: str, values: NDArray[Any]) -> Category:
    if all(value is None for value in values):
        raise DataError(f"{path}: the column {name!r} holds no value at all: drop it from the table")
    imputer, encoder = SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder()
    encoder.fit(imputer.fit_transform(values[:, None]))
    found = tuple(str(value) for value in encoder.categories_[0])
    if len(found) > MOST_VALUES:
        raise DataError(
            f"{path}: the column {name!r} has {len(found)} different values, more than {MOST_VALUES}: "
            "drop it from the table if it names rows, or group its values"
        )
    return Category(name, found, str(imputer.statistics_[0]))
