"""Content-addressed files: models, bodies, data sets, configs, task sources and evidence.

A blob is named by the 32-byte hash that the protocol gives its content (config hash, model hash, SHA-256 of a body, evidence
root …), so whoever reads one checks it by decoding it. Files are written under a temporary name, synced and renamed: a crash
leaves a whole blob or none.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from aggregator.errors import BlobMissing, BlobTooLarge, StorageFailed
from protocol.files import sync_folder


@dataclass
class Incoming:
    """A blob that is still arriving. `write` raises `BlobTooLarge` as soon as the limit is passed."""

    _file: IO[bytes]
    _limit: int
    size: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises `BlobTooLarge`, `StorageFailed`."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise BlobTooLarge(self._limit)
        self._digest.update(chunk)
        with _storing(self._file.name):
            self._file.write(chunk)

    @property
    def sha256(self) -> bytes:
        """SHA-256 of what has arrived so far."""
        return self._digest.digest()

    @property
    def path(self) -> Path:
        """Where the bytes are while they arrive. Raises `StorageFailed`."""
        with _storing(self._file.name):
            self._file.flush()
        return Path(self._file.name)


class BlobStore:
    """Blobs in one directory, each a file named by the hexadecimal of its hash."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, name: bytes) -> Path:
        """Where the blob is, or would be."""
        return self._directory / name.hex()

    def has(self, name: bytes) -> bool:
        """Whether the blob is here."""
        return self.path(name).exists()

    def get(self, name: bytes) -> bytes:
        """The blob's bytes. Raises `BlobMissing`."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(name) from None

    def put(self, name: bytes, data: bytes) -> None:
        """Store a blob durably; a blob that is already here stays as it is. Raises `StorageFailed`."""
        if self.has(name):
            return
        with self.receive(len(data)) as incoming:
            incoming.write(data)
            self.keep(incoming, name)

    @contextmanager
    def receive(self, limit: int) -> Iterator[Incoming]:
        """Take a blob in chunks, at most `limit` bytes; it is gone afterwards unless `keep` was called.

        Raises `StorageFailed`.
        """
        with _storing(self._directory):
            file = NamedTemporaryFile(dir=self._directory, prefix=".incoming-", delete=False)  # noqa: SIM115 closed below, where a full disk may object
        try:
            yield Incoming(file, limit)
        finally:
            Path(file.name).unlink(missing_ok=True)
            with suppress(OSError):  # what a full disk did not take is not wanted any more
                file.close()

    def keep(self, incoming: Incoming, name: bytes) -> None:
        """Make an arrived blob durable under its name. Raises `StorageFailed`."""
        path = incoming.path
        with _storing(self._directory):
            os.fsync(incoming._file.fileno())
            path.rename(self.path(name))
            sync_folder(self._directory)


@contextmanager
def _storing(place: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        directory = place if isinstance(place, Path) else Path(place).parent
        raise StorageFailed(directory, (error.strerror or str(error)).lower()) from error
