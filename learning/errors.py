"""The errors of learning, one family.

LearningError
├── TaskError                the task's own code breaks one of its laws, or raises
│   ├── TaskSourceError      the source of a task cannot be read, or is not one
│   └── TaskImportError      the source is there, but does not yield a usable Task
├── DataError                data that nothing can be trained or evaluated on
│   └── UnknownSourceError   the task has no data under this name
├── ParameterError           tensors that do not fit the model
│   └── UnsupportedStateError  the model keeps state that can neither be averaged nor stay as it is
├── RecipeError              a training setting out of its range
└── TrainingError            training ran, and did not give a usable update
"""

from collections.abc import Sequence

from protocol.terminal import ExitCodes


class LearningError(Exception):
    """Base of every error raised by `learning`."""


class TaskError(LearningError):
    """The task's own code breaks one of its laws, or raises; the message names the method."""


class TaskSourceError(TaskError, ValueError):
    """The source of a task cannot be read, or is not one."""


class TaskImportError(TaskError):
    """The source does not yield a usable task. `file` is relative to the task, `line` is None where it has none."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        self.file, self.line, self.problem = file, line, problem
        super().__init__(f"task file {file}{'' if line is None else f', line {line}'}: {problem}")


class DataError(LearningError, ValueError):
    """Data that nothing can be trained or evaluated on."""


class UnknownSourceError(DataError):
    """The task has no data under the name `source`; `known` says which names it has."""

    def __init__(self, source: str | None, known: Sequence[str]) -> None:
        self.source, self.known = source, tuple(known)
        asked = "no data source was given" if source is None else f"there is no data source {source!r}"
        super().__init__(f"{asked}: use one of {', '.join(known)}")


class ParameterError(LearningError, ValueError):
    """Tensors that do not fit the model; the message names the first one."""


class UnsupportedStateError(ParameterError):
    """The model keeps a tensor that can neither be averaged nor stay what it is."""

    def __init__(self, name: str, found: str) -> None:
        self.name, self.found = name, found
        super().__init__(
            f"the model's state {name!r} is {found}: cast the model with .float() and keep it on the CPU, "
            "and fill integer buffers with constants"
        )


class RecipeError(LearningError, ValueError):
    """A training setting out of its range; the message names it."""


class TrainingError(LearningError):
    """Training ran, and did not give a usable update."""


LEARNING_EXIT_CODES: ExitCodes = {
    LearningError: 50,
    DataError: 52,
    TrainingError: 53,
}
"""Exit codes of this family, see protocol.terminal; the nearest class decides."""
