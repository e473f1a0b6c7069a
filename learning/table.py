"""Reading columns out of a CSV or Parquet file, each as what it has to be. Whatever is not so is told by column."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import csv, parquet

from learning.errors import DataError

_PARQUET = b"PAR1"


class Kind(Enum):
    """What a column holds, as the Arrow type that it is read as."""

    NUMBER = pyarrow.float64()
    CATEGORY = pyarrow.string()


def infer_kinds(path: Path) -> dict[str, Kind]:
    """Every column's kind, in the file's order: numbers are numbers, text and truth values are categories.

    Raises `DataError` for anything that is no table, `OSError`.
    """
    whole = _checked(path, lambda: parquet.read_table(path) if _is_parquet(path) else csv.read_csv(path))
    found = {}
    for name, kind in zip(whole.column_names, whole.schema.types, strict=True):
        is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind)
        found[name] = Kind.NUMBER if is_number else Kind.CATEGORY
    return found


def read_columns(path: Path, kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    """The named columns: numbers as float64 with NaN, categories as text with None where a value is missing.

    Other columns are ignored. Raises `DataError` naming every column that is missing, or what is not a number; `OSError`.
    """
    is_parquet = _is_parquet(path)
    names = _checked(path, lambda: parquet.read_schema(path).names if is_parquet else csv.open_csv(path).schema.names)
    missing = [name for name in kinds if name not in names]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(map(repr, missing))}; its columns are {', '.join(map(repr, names))}: "
            "add what is missing, or name another file"
        )
    twice = sorted(name for name in kinds if names.count(name) > 1)
    if twice:
        raise DataError(f"{path} has the column {', '.join(map(repr, twice))} more than once: rename all but one")
    if is_parquet:
        table = _checked(path, lambda: parquet.read_table(path, columns=list(kinds)))
    else:
        options = csv.ConvertOptions(
            column_types={name: kind.value for name, kind in kinds.items()},
            include_columns=list(kinds),
            strings_can_be_null=True,
        )
        table = _checked(path, lambda: csv.read_csv(path, convert_options=options))
    if table.num_rows == 0:
        raise DataError(f"{path} has a header and no rows: there is not one sample in it: name another file")
    return {name: _column(path, name, table[name], kind) for name, kind in kinds.items()}


def _column(path: Path, name: str, column: Any, kind: Kind) -> NDArray[Any]:
    cast = _checked(path, lambda: column.cast(kind.value), f"column {name!r}: ")
    if kind is Kind.NUMBER:
        numbers = np.asarray(cast.to_numpy(), dtype=np.float64)
        if np.isinf(numbers).any():
            raise DataError(f"{path}: the column {name!r} is infinite in row {int(np.isinf(numbers).argmax()) + 1}: correct it")
        return numbers
    return np.array(cast.to_pylist(), dtype=object)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(len(_PARQUET)) == _PARQUET


def _checked(path: Path, read: Any, where: str = "") -> Any:
    try:
        return read()
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError, pyarrow.ArrowTypeError) as error:
        problem = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a CSV or Parquet table: {where}{problem}; correct the file") from error
