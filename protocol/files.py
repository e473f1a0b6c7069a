"""Files that survive a crash whole: written under a temporary name, synced, put in place, and the folder synced."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Put a whole file in place, making its folder if need be; a kill leaves the former file or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _written(path, content, mode=0o666) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def write_new_private(path: Path, content: bytes) -> None:
    """Put a whole file, readable by its owner alone, where there is none; a kill leaves it or nothing.

    Raises `FileExistsError`, and leaves the file that is there as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _written(path, content, mode=0o600) as temporary:
        os.link(temporary, path)  # unlike a rename, a link fails when the name is taken
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names that were put into a folder, or replaced in it, survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
