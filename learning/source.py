"""A task's source: the exact files that every participant runs, their hash, and where they are read from.

The hash is in the federation's contract, so a node runs what it was shown or nothing. All Python files of a package belong
to its source, and nothing else: a task keeps data and weights out of its package.
"""

import hashlib
import importlib.machinery
import re
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from learning.errors import TaskSourceError
from learning.tasks import BUILT_IN, TABULAR

_HASH_TAG = b"fairshare/task/1"
_MAX_BYTES = 1 << 20
_MAX_FILES = 256
# What Python can import by name, in ASCII: no "..", no absolute path, no drive, no hidden file.
_FILE_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*/)*[A-Za-z_][A-Za-z0-9_]*\.py")


@dataclass(frozen=True)
class TaskSource:
    """The class `entry` and the files that define it.

    `files`: (path, content) ascending by path; paths are relative, with "/". Either one file, or a package: then
    "__init__.py" is among them and defines or imports `entry`. UTF-8, at most 256 files and 1 MiB together.

    Raises `TaskSourceError` for anything else; it may have come from a stranger.
    """

    entry: str
    files: tuple[tuple[str, bytes], ...]

    def __post_init__(self) -> None:
        if not (self.entry.isascii() and self.entry.isidentifier()):
            raise TaskSourceError(f"{self.entry!r} is not the name of a class: write path/to/file.py:Name")
        paths = [path for path, _ in self.files]
        for path, content in self.files:
            if not _FILE_NAME.fullmatch(path):
                raise TaskSourceError(f"{path!r} is not the relative path of a module: name it with letters, digits and _")
            _check_text(path, content)
        if paths != sorted(set(paths)):
            raise TaskSourceError("the files of a task must be in ascending order, each once: sort them by path")
        if "__init__.py" not in paths and (len(paths) != 1 or "/" in paths[0]):
            raise TaskSourceError(f"name one file, or a package with an __init__.py, as a task; found {paths or 'no file'}")
        size = sum(len(content) for _, content in self.files)
        if size > _MAX_BYTES or len(paths) > _MAX_FILES:
            raise TaskSourceError(
                f"the task has {len(paths)} files and {size} bytes, the limits are {_MAX_FILES} and {_MAX_BYTES}: "
                "name a package that holds the task alone"
            )

    @property
    def is_package(self) -> bool:
        """Whether the files are a package rather than one module."""
        return any(path == "__init__.py" for path, _ in self.files)

    def sha256(self) -> bytes:
        """The task hash, 32 bytes.

        SHA-256 of the ASCII tag "fairshare/task/1", then the entry, then each path and content in ascending order of paths;
        every one of these, but not the tag, is preceded by its length in bytes as 8 bytes big-endian.
        """
        digest = hashlib.sha256(_HASH_TAG)
        parts = [self.entry.encode(), *(part for path, content in self.files for part in (path.encode(), content))]
        for part in parts:
            digest.update(struct.pack(">Q", len(part)) + part)
        return digest.digest()

    def texts(self) -> dict[str, str]:
        """The files as text, path → content, to be shown or carried in JSON. Exact: `from_texts` gives the same hash."""
        return {path: content.decode() for path, content in self.files}

    @classmethod
    def from_texts(cls, entry: str, texts: Mapping[str, str]) -> "TaskSource":
        """Inverse of `texts`, whatever the order. Raises `TaskSourceError`."""
        try:
            return cls(entry, tuple(sorted((path, text.encode()) for path, text in texts.items())))
        except UnicodeEncodeError as error:
            raise TaskSourceError(f"the task's text cannot be encoded as UTF-8 ({error}): remove what is no character") from error


def read_task_source(name: str) -> TaskSource:
    """Read a task's source without running it.

    `name` is a built-in ("digits"), a file with a class ("path/to/file.py:Name"), a package's folder ("path/to/package:Name"),
    or something importable, looked for in the current folder and then on Python's path ("package.module:Name").

    Raises `TaskSourceError` if there is nothing, or nothing usable, there. The class itself is only looked for by `load_task`.
    """
    if name in BUILT_IN:
        return TaskSource(BUILT_IN[name], _package_files(Path(__file__).parent / "tasks" / name.replace("-", "_")))
    if name == TABULAR:
        raise TaskSourceError(
            f"{TABULAR} is made from a table: name one by --data FILE and the column to predict by --label COLUMN; "
            "if that was done before, found on the file that it wrote"
        )
    where, colon, entry = name.rpartition(":")
    if not (colon and where and entry):
        known = ", ".join(sorted([*BUILT_IN, TABULAR]))
        raise TaskSourceError(f"{name!r} names no task: use a built-in one ({known}), path/to/file.py:Name or package:Name")
    path = Path(where)
    if not (path.suffix == ".py" or path.is_dir() or len(path.parts) > 1):
        path = _find_importable(where)
    if path.is_dir():
        return TaskSource(entry, _package_files(path))
    return TaskSource(entry, ((path.name, _read(path)),))


def _package_files(folder: Path) -> tuple[tuple[str, bytes], ...]:
    # What cannot be imported by name (a hidden folder, a notebook checkpoint) is no part of the package.
    if not (folder / "__init__.py").is_file():
        raise TaskSourceError(f"{folder} is not a package: it has no __init__.py: add one that defines the class, or name a file")
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*.py")}
    importable = {path: file for path, file in found.items() if _is_importable(path)}
    if len(importable) > _MAX_FILES:
        raise TaskSourceError(f"{folder} holds {len(importable)} Python files: name a package that holds the task alone")
    return tuple((path, _read(importable[path])) for path in sorted(importable))


def _is_importable(path: str) -> bool:
    return all(part.isidentifier() for part in PurePosixPath(path).with_suffix("").parts)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TaskSourceError(f"task file {file} cannot be read ({error.strerror}): check the path") from error


def _check_text(path: str, content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise TaskSourceError(
            f"task file {path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error


def _find_importable(dotted: str) -> Path:
    # importlib.util.find_spec would run the parents' code; following their folders one by one runs nothing.
    search = [str(Path.cwd()), *sys.path]
    spec = None
    for part in dotted.split("."):
        spec = importlib.machinery.PathFinder.find_spec(part, search)
        search = [] if spec is None else list(spec.submodule_search_locations or [])
    if search:
        return Path(search[0])
    if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
        return Path(spec.origin)
    raise TaskSourceError(
        f"no Python package {dotted!r} in the current folder or on Python's path: "
        "give its folder or file instead, as in path/to/file.py:Name"
    )
