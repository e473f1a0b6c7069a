"""A disk that is full or read-only, the real thing: a file system of one megabyte that is mounted for the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aggregator.blobs import BlobStore
from aggregator.errors import StorageFailed
from aggregator.service.phases import Phase
from tests.aggregator.service.support import Service, make_update, problem

NAME, LARGE = bytes(range(32)), bytes(range(1, 33))
BLOCK = os.urandom(1 << 18)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of a megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = sys.platform == "linux" and _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place))
    if not mounted:
        pytest.skip("no file system can be mounted here: that takes root on Linux")
    try:
        yield place
    finally:
        _run("umount", "--lazy", str(place))


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_blob_that_does_not_fit_leaves_nothing_and_what_is_there_stays(small: Path) -> None:
    blobs = BlobStore(small / "blobs")
    blobs.put(NAME, b"kept")
    with pytest.raises(StorageFailed, match=r"blobs \(no space left on device\): make room"):
        blobs.put(LARGE, 8 * BLOCK)
    assert _files(small / "blobs") == [NAME.hex()]
    assert blobs.get(NAME) == b"kept"
    blobs.put(LARGE, BLOCK)
    assert blobs.get(LARGE) == BLOCK, "and what fits is stored as if nothing had been"


def test_a_disk_that_became_read_only_is_named(small: Path) -> None:
    blobs = BlobStore(small / "blobs")
    blobs.put(NAME, b"kept")
    assert _run("mount", "-o", "remount,ro", str(small))
    with pytest.raises(StorageFailed, match=r"\(read-only file system\): make room on that disk, or make it writable"):
        blobs.put(LARGE, BLOCK)
    assert blobs.get(NAME) == b"kept"


def test_a_node_that_uploads_to_a_full_disk_is_told_to_come_again_and_does(served: Service, small: Path) -> None:
    view = served.open_round()
    sent = [make_update(served.domain, view, node) for node in range(2)]
    served.commit(*sent)
    served.turn(2)
    folder = served.stage.home.blobs_directory
    _move(folder, small)
    filler = small / "filler"
    _fill(filler)
    kept = _files(folder)
    assert problem(lambda: served.reveal(sent[0])) == (503, "storage-failed")
    assert _files(folder) == kept
    assert not served.client.upload(1, 0).revealed
    filler.unlink()
    served.reveal(*sent)
    served.turn()
    assert served.phase(1) is Phase.EVALUATING


def _move(folder: Path, place: Path) -> None:
    """Put a folder's files on another file system, and a link in its place."""
    assert _run("cp", "-r", str(folder), str(place / "blobs"))
    folder.rename(folder.with_suffix(".away"))
    folder.symlink_to(place / "blobs")


def _fill(filler: Path) -> None:
    with filler.open("ab", buffering=0) as opened, suppress(OSError):
        while opened.write(bytes(4096)):
            pass
