"""Running a task's source: from hashed files to a Task.

The modules are compiled from the very bytes that were hashed, never from a file that could have changed since, and never from
a stale .pyc. They carry names of their own, so that two versions of one task live side by side.
"""

import copyreg
import importlib
import sys
import traceback
from collections.abc import Sequence
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from types import ModuleType

from learning.errors import TaskImportError
from learning.source import TaskSource
from learning.task import Task

_PREFIX = "_fairshare_task_"


def load_task(source: TaskSource) -> Task:
    """Run the task's code and construct its class. Loading the same source again constructs from the modules already run.

    The task can be pickled; other processes, where its modules cannot be imported, load its source again.
    The code has all rights of this process: show it to its user before the first call.

    Raises `TaskImportError` naming file and line if the code fails, has no class `source.entry`, or that is not a complete Task.
    """
    name = _PREFIX + source.sha256().hex()
    _FINDER.sources[name] = source
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        # A half-imported package must not be found by the next attempt.
        for loaded in [key for key in sys.modules if key == name or key.startswith(name + ".")]:
            del sys.modules[loaded]
        raise _explain(source, error) from error
    return _construct(source, module)


def _construct(source: TaskSource, module: ModuleType) -> Task:
    file = _entry_file(source)
    found = getattr(module, source.entry, None)
    if found is None:
        defined = sorted(key for key, value in vars(module).items() if _is_task(value))
        raise TaskImportError(file, None, f"has no class {source.entry}; the tasks in it are {defined or 'none'}")
    if not _is_task(found):
        raise TaskImportError(file, None, f"{source.entry} is not a subclass of fairshare.Task")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise TaskImportError(file, None, f"{source.entry} does not implement {', '.join(missing)}")
    try:
        task: Task = found()
    except (Exception, SystemExit) as error:
        raise _explain(source, error) from error
    copyreg.pickle(found, lambda _: (load_task, (source,)))
    return task


def _is_task(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Task) and value is not Task


def _entry_file(source: TaskSource) -> str:
    return "__init__.py" if source.is_package else source.files[0][0]


def _explain(source: TaskSource, error: BaseException) -> TaskImportError:
    shown = _shown_folder(source)
    problem = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(shown):
        return TaskImportError(error.filename.removeprefix(shown), error.lineno, f"SyntaxError: {error.msg}")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(shown)]
    if not frames:
        return TaskImportError(_entry_file(source), None, problem)
    if isinstance(error, ModuleNotFoundError):
        problem += " (install it, or put the file into the task's package and import it relatively)"
    return TaskImportError(frames[-1].filename.removeprefix(shown), frames[-1].lineno, problem)


def _shown_folder(source: TaskSource) -> str:
    # Not a path that exists: tracebacks show it, inspect finds the lines through the loader.
    return f"<task {source.sha256().hex()[:16]}>/"


class _Loader(ExecutionLoader):
    """Serves one module from a task's source."""

    def __init__(self, source: TaskSource, path: str) -> None:
        self.source, self.path = source, path

    def get_filename(self, fullname: str) -> str:
        return _shown_folder(self.source) + self.path

    def get_source(self, fullname: str) -> str:
        return decode_source(dict(self.source.files)[self.path])

    def is_package(self, fullname: str) -> bool:
        return self.path.endswith("__init__.py")


class _Finder(MetaPathFinder):
    """Finds the modules of every task that was loaded, by the hash in their name."""

    def __init__(self) -> None:
        self.sources: dict[str, TaskSource] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        root, _, inner = fullname.partition(".")
        source = self.sources.get(root)
        if source is None:
            return None
        module = inner.replace(".", "/")
        paths = (f"{module}/__init__.py".lstrip("/"), f"{module}.py") if source.is_package else (source.files[0][0],)
        held = dict(source.files)
        for candidate in paths if not inner or source.is_package else ():
            if candidate in held:
                loader = _Loader(source, candidate)
                spec = ModuleSpec(fullname, loader, origin=loader.get_filename(fullname), is_package=loader.is_package(fullname))
                spec.has_location = True
                return spec
        return None


_FINDER = _Finder()
