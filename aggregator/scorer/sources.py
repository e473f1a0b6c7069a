"""Blobs gathered from wherever they are: an aggregator, any scorer's mirror, or a directory. None of them is trusted.

A file arrives under a name of its own and goes on after a broken connection where it stopped. What does not hash to its name
is dropped and taken from the next source.
"""

import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from aggregator.blobs import BlobStore
from aggregator.errors import BlobMissing
from aggregator.scorer.errors import FileTooLarge
from protocol.client import FederationClient
from protocol.errors import ServiceRefused, ServiceUnreachable, ServiceUnreadable
from protocol.files import sync_folder

_ATTEMPTS = 5
"""How often one source may break off in a row without having sent a byte."""

FILE_BYTES = 1 << 30
"""The most that is taken for one file, unless scorer.toml says otherwise. What a name stands for, and so how large it may be, is
known only when all of it is here."""


class Source(Protocol):
    """Somewhere that blobs may be had from."""

    @property
    def place(self) -> str:
        """What it is called."""

    def chunks(self, name: bytes, offset: int) -> Iterator[bytes]:
        """The bytes of a blob from `offset` on. Raises `BlobMissing` if it is not there, `ServiceUnreachable` if it broke off."""


class Directory:
    """A directory of blobs: a federation's or scorer's directory, or its `blobs` alone."""

    def __init__(self, path: Path) -> None:
        self._blobs = path / "blobs" if (path / "blobs").is_dir() else path
        self.place = str(path)

    def chunks(self, name: bytes, offset: int) -> Iterator[bytes]:
        """The rest of the file. What is none, or cannot be read, is missing here: another source may have it."""
        try:
            if not (path := self._blobs / name.hex()).is_file():  # a pipe would keep whoever opens it waiting
                raise BlobMissing(name)
            with path.open("rb") as file:
                file.seek(offset)
                while chunk := file.read(1 << 20):
                    yield chunk
        except OSError as error:
            raise BlobMissing(name) from error


class MirrorSource:
    """The API of an aggregator or scorer, asked by signed requests."""

    def __init__(self, client: FederationClient) -> None:
        self._client = client
        self.place = client.url

    def chunks(self, name: bytes, offset: int) -> Iterator[bytes]:
        """The rest of the file, by Range."""
        try:
            yield from self._client.blob(name, offset)
        except ServiceRefused as refused:
            if refused.code == "unknown-blob":
                raise BlobMissing(name) from refused
            raise


class GatheredBlobs(BlobStore):
    """The blobs of a directory, and those that any of the sources has; each is asked in turn."""

    def __init__(self, directory: Path, sources: Sequence[Source], limit: int = FILE_BYTES) -> None:
        super().__init__(directory)
        self._sources = tuple(sources)
        self._limit = limit
        self._origin: dict[bytes, Source] = {}
        self._refused: set[tuple[bytes, str]] = set()

    def get(self, name: bytes) -> bytes:
        """The blob's bytes, not yet checked. Raises `BlobMissing`; `ServiceRefused` and its like if that is not known."""
        if not self.has(name):
            self._gather(name)
        return super().get(name)

    def refuse(self, name: bytes) -> bool:
        """Drop a blob that is not what its name says; whether another source may still have the right one."""
        self.path(name).unlink(missing_ok=True)
        if (origin := self._origin.pop(name, None)) is not None:
            self._refused.add((name, origin.place))
        return any((name, source.place) not in self._refused for source in self._sources)

    def _gather(self, name: bytes) -> None:
        failure: Exception = BlobMissing(name)
        for source in self._sources:
            if (name, source.place) in self._refused:
                continue
            try:
                self._download(name, source)
            except BlobMissing:
                continue
            except FileTooLarge as error:
                self._refused.add((name, source.place))  # and not the same again at the next turn
                failure = error
                continue
            except (ServiceUnreachable, ServiceUnreadable, ServiceRefused) as error:
                failure = error
                continue
            self._origin[name] = source
            return
        raise failure

    def _download(self, name: bytes, source: Source) -> None:
        # One file for each source: bytes of two that disagree would make a file that neither has.
        partial = self._directory / f".partial-{name.hex()}-{sha256(source.place.encode()).hexdigest()[:8]}"
        idle = 0
        while True:
            before = partial.stat().st_size if partial.exists() else 0
            try:
                with partial.open("ab") as file:
                    for chunk in source.chunks(name, before):
                        file.write(chunk)
                        if file.tell() > self._limit:
                            raise FileTooLarge(name, source.place, self._limit)
                    file.flush()
                    os.fsync(file.fileno())
                break
            except ServiceUnreachable:
                idle = 0 if partial.stat().st_size > before else idle + 1
                if idle == _ATTEMPTS:
                    raise
            except (BlobMissing, FileTooLarge):
                partial.unlink(missing_ok=True)
                raise
        partial.rename(self.path(name))
        sync_folder(self._directory)
