"""fairshare: federated learning in which every participant is paid its fair share, on chain.

The names that users import for a task of their own:

    from fairshare import Data, Task, soft_accuracy
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learning.data import Data as Data
    from learning.errors import DataError as DataError
    from learning.errors import UnknownSourceError as UnknownSourceError
    from learning.scores import clipped_log_likelihood as clipped_log_likelihood
    from learning.scores import clipped_margin as clipped_margin
    from learning.scores import clipped_squared_error as clipped_squared_error
    from learning.scores import soft_accuracy as soft_accuracy
    from learning.tabular import Category as Category
    from learning.tabular import Number as Number
    from learning.tabular import TabularTask as TabularTask
    from learning.task import Task as Task

_HOMES = {
    "Category": "learning.tabular",
    "Data": "learning.data",
    "DataError": "learning.errors",
    "Number": "learning.tabular",
    "TabularTask": "learning.tabular",
    "Task": "learning.task",
    "UnknownSourceError": "learning.errors",
    "clipped_log_likelihood": "learning.scores",
    "clipped_margin": "learning.scores",
    "clipped_squared_error": "learning.scores",
    "soft_accuracy": "learning.scores",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # Looked up on first use: the command line must not load torch to print its help.
    if name not in _HOMES:
        raise AttributeError(f"fairshare has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)
