"""Tables: what scikit-learn would do with them, done by every node with the same figures, and every fault told by column."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from learning.calls import load_data
from learning.columns import MOST_VALUES, tabular_task
from learning.errors import DataError, TaskSourceError
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import TaskSource, read_task_source
from learning.tabular import Category, Number, TabularTask
from learning.training import evaluate, train
from protocol.parameters import Parameters


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def task_of(path: Path, label: str) -> TabularTask:
    task = load_task(TaskSource.from_texts("Tabular", {"tabular.py": tabular_task(path, label)}))
    assert isinstance(task, TabularTask)
    return task


HEADER = ("age", "sex", "city", "sick")
ROWS = [
    (40, "f", "Oslo", "no"),
    (50, "m", "", "yes"),
    ("", "f", "Rome", "no"),
    (61.5, "m", "Rome", "yes"),
    (33, "", "Oslo", "no"),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "people.csv", HEADER, ROWS)


def _oracle(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """scikit-learn's own pipeline, fitted on the rows as one would without a federation."""
    numbers = np.array([[float("nan") if row[0] == "" else float(row[0])] for row in rows])
    words = np.array([[None if word == "" else word for word in row[1:3]] for row in rows], dtype=object)
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit_transform(numbers)
    coded = make_column_transformer(
        (make_pipeline(SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder(sparse_output=False)), [0, 1])
    ).fit_transform(words)
    return np.concatenate([scaled, coded], axis=1).astype(np.float32)


def test_the_table_it_was_made_from_is_encoded_as_scikit_learn_does(table: Path) -> None:
    data = load_data(task_of(table, "sick"), str(table))
    np.testing.assert_array_equal(data.features.numpy(), _oracle(ROWS))
    assert data.targets.tolist() == [0, 1, 0, 1, 0]


def test_another_nodes_rows_are_scaled_by_the_tasks_figures_not_their_own(table: Path, tmp_path: Path) -> None:
    task = task_of(table, "sick")
    whole = load_data(task, str(table)).features
    few = write(tmp_path / "few.csv", ("sick", "city", "more", "age", "sex"), [(r[3], r[2], "x", r[0], r[1]) for r in ROWS[2:4]])
    np.testing.assert_array_equal(load_data(task, str(few)).features.numpy(), whole[2:4].numpy())
    new = write(tmp_path / "new.csv", HEADER, [(1e3, "f", "Lima", "no")])
    assert load_data(task, str(new)).features[0, 3:].tolist() == [0, 0]  # a city that the task does not know


def test_parquet_and_csv_are_the_same_data(table: Path, tmp_path: Path) -> None:
    columns = {name: [None if row[i] == "" else row[i] for row in ROWS] for i, name in enumerate(HEADER)}
    columns["age"] = [None if age is None else float(str(age)) for age in columns["age"]]
    parquet.write_table(pyarrow.table(columns), tmp_path / "people.parquet")
    assert tabular_task(tmp_path / "people.parquet", "sick") == tabular_task(table, "sick")
    task = task_of(table, "sick")
    assert load_data(task, str(tmp_path / "people.parquet")).features.equal(load_data(task, str(table)).features)


def test_what_the_file_says_can_be_read_and_is_the_same_for_the_same_table(table: Path) -> None:
    text = tabular_task(table, "sick")
    assert "Number(name='age', median=45.0, mean=45.9" in text
    assert "label = Category(name='sick', values=('no', 'yes'), most_frequent='no')" in text
    assert text == tabular_task(table, "sick")
    assert str(table.parent) not in text


@pytest.mark.parametrize("name", ['a "quoted" {brace}', "'''", '"""', "new\nline", "back\\slash", "ünïcode"])
def test_any_name_of_a_column_makes_a_task_that_runs(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "t.csv", (name, "x"), [("a", 1), ("b", 2), ("a", 3)])
    task = task_of(path, name)
    assert (task.label.name, load_data(task, str(path)).targets.tolist()) == (name, [0, 1, 0])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0", "1", "1"], Category),
        (["true", "false", "true"], Category),
        (["a", "b", "a"], Category),
        (["0.5", "1.25", "2"], Number),
        ([str(n) for n in range(MOST_VALUES + 1)], Number),
    ],
)
def test_labels_that_are_names_or_few_whole_numbers_are_classes(tmp_path: Path, values: list[str], kind: type) -> None:
    path = write(tmp_path / "t.csv", ("x", "y"), [(i, value) for i, value in enumerate(values)])
    task = task_of(path, "y")
    assert isinstance(task.label, kind)
    targets = load_data(task, str(path)).targets
    assert targets.ndim == (1 if kind is Category else 2)


@pytest.mark.parametrize(
    ("header", "rows", "sentence"),
    [
        (("age", "sex", "sick"), [(1, "f", "no")], "has no column 'city'; its columns are 'age', 'sex', 'sick'"),
        (("Age", "sex", "city"), [(1, "f", "no")], "has no column 'age', 'sick'"),
        (HEADER, [("old", "f", "Oslo", "no")], "invalid value 'old'"),
        (HEADER, [(1, "f", "Oslo", "maybe"), (1, "f", "Oslo", "no")], "the label 'sick' is 'maybe' in some rows"),
        (HEADER, [(1, "f", "Oslo", "no"), (1, "f", "Oslo", "")], "the label 'sick' is missing in 1 rows, row 2 first"),
        (HEADER, [], "a header and no rows"),
        ((*HEADER, "age"), [(1, "f", "Oslo", "no", 2)], "'age' more than once"),
        (HEADER, [(1, "f")], "Expected 4 columns, got 2"),
        (HEADER, [("inf", "f", "Oslo", "no")], "'age' is infinite in row 1"),
        ((), [], "cannot be read as a CSV or Parquet table"),
    ],
)
def test_a_table_that_does_not_fit_is_told_by_what_is_wrong(
    table: Path, tmp_path: Path, header: Sequence[str], rows: list[Sequence[object]], sentence: str
) -> None:
    path = write(tmp_path / "bad.csv", header, rows) if header else tmp_path / "bad.csv"
    path.touch()
    with pytest.raises(DataError, match="bad") as caught:
        load_data(task_of(table, "sick"), str(path))
    assert sentence in str(caught.value)


def test_sources_that_are_no_table_are_told(table: Path, tmp_path: Path) -> None:
    task = task_of(table, "sick")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and then nothing")
    for source, sentence in (
        (None, "no table is named"),
        ("", "no table is named"),
        (str(tmp_path / "none.csv"), "none.csv"),
        (str(tmp_path), "cannot be read"),
        (str(tmp_path / "torn.parquet"), "cannot be read as a CSV or Parquet table"),
        (f"{table}#nine", "'nine' is no share"),
        (f"{table}#1/9", "cannot be divided"),
    ):
        with pytest.raises(DataError) as caught:
            load_data(task, source)
        assert sentence in str(caught.value)


def test_a_table_that_no_task_can_be_made_from_is_told(tmp_path: Path) -> None:
    many = [(f"id{number}", number % 2) for number in range(MOST_VALUES + 1)]
    for header, rows, label, sentence in (
        (("a", "b"), [(1, 2)], "c", "has no column 'c' to predict: name one of 'a', 'b' by --label"),
        (("a",), [(1,)], "a", "no column but 'a'"),
        (("a", "b"), many, "b", f"the column 'a' has {MOST_VALUES + 1} different values"),
        (("a", "b"), [("nan", 1), ("nan", 2)], "b", "'a' holds no"),
        (("a", "b"), [("", 1), ("", 2)], "b", "'a' holds no value at all"),
    ):
        with pytest.raises(DataError) as caught:
            tabular_task(write(tmp_path / "t.csv", header, rows), label)
        assert sentence in str(caught.value)
    with pytest.raises(TaskSourceError, match=r"--data FILE .* --label COLUMN"):
        read_task_source("tabular")


def test_shares_are_the_table_each_row_once(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ("x", "y"), [(n, n % 3) for n in range(60)])
    task = task_of(path, "y")
    for suffix in ("", " iid"):
        shares = [load_data(task, f"{path}#{number}/3{suffix}") for number in (1, 2, 3)]
        rows = sorted(value for share in shares for value in share.features[:, 0].tolist())
        assert rows == sorted(load_data(task, str(path)).features[:, 0].tolist())


def _learns(task: TabularTask, path: Path, learning_rate: float) -> tuple[float, float, float]:
    """Mean score before and after training, and the accuracy after it, on rows that were not trained on."""
    train_set, held_out = load_data(task, f"{path}#1/2 iid"), load_data(task, f"{path}#2/2 iid")
    base: Parameters = initial_parameters(task, 0)
    update = train(
        task, base, train_set, Recipe("sgd", learning_rate=learning_rate, batch_size=16, epochs=20, momentum=0.9), seed=1
    )
    trained = {name: base[name] + update[name] for name in base}
    after = evaluate(task, trained, held_out)
    return evaluate(task, base, held_out).mean_score, after.mean_score, after.accuracy


def test_real_tables_are_learned_classes_and_numbers(tmp_path: Path) -> None:
    cancer = load_breast_cancer()
    rows = [(*row, cancer.target_names[label]) for row, label in zip(cancer.data.tolist(), cancer.target, strict=True)]
    path = write(tmp_path / "cancer.csv", (*cancer.feature_names, "diagnosis"), rows)
    before, after, accuracy = _learns(task_of(path, "diagnosis"), path, 0.05)
    assert after > 0.93 > before
    assert accuracy > 0.94

    diabetes = load_diabetes()
    rows = [(*row, label) for row, label in zip(diabetes.data.tolist(), (diabetes.target + 0.5).tolist(), strict=True)]
    path = write(tmp_path / "diabetes.csv", (*diabetes.feature_names, "progression"), rows)
    task = task_of(path, "progression")
    assert isinstance(task.label, Number)
    before, after, _ = _learns(task, path, 0.005)
    assert after > before + 0.02
    assert after > 1 - 0.6 / 9  # the mean squared error is below 0.6 of the label's variance
