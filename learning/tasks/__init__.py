"""The built-in tasks, each a package of its own, so that its source hash covers exactly its files."""

from collections.abc import Mapping

BUILT_IN: Mapping[str, str] = {"digits": "Digits", "fashion-mnist": "FashionMnist"}
"""Name of each built-in task → the class in the package of that name ("-" is "_" there)."""

TABULAR = "tabular"
"""The task on a table has no source of its own: `learning.columns` writes it for the table."""
