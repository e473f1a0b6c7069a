"""A Sender's journal in one small file: for commands of a few transactions that must survive being interrupted."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ledger.errors import JournalUnreadable
from ledger.sender import Entry, MemoryJournal
from protocol.files import write_durably
from protocol.json_types import HexBytes


class _EntryLine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    nonce: int
    raw: HexBytes
    tx_hash: HexBytes


class _JournalFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    entries: list[_EntryLine] = []


class FileJournal(MemoryJournal):
    """Entries in a JSON file that is replaced as a whole, so that a kill leaves the old one or the new one.

    Raises `JournalUnreadable` if the file is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            file = _JournalFile.model_validate_json(path.read_bytes()) if path.exists() else _JournalFile()
        except ValidationError as error:
            raise JournalUnreadable(path) from error
        super().__init__(Entry(line.key, line.nonce, line.raw, line.tx_hash) for line in file.entries)

    def record(self, entry: Entry) -> None:
        """Keep a new entry beside the key's older ones; it is on disk when this returns."""
        super().record(entry)
        self._write()

    def forget(self, nonce: int) -> None:
        """Drop all entries with lower nonces, which are used: none of them can be mined any more unless it is."""
        keys = {last.key for last in self.since(0)} - {last.key for last in self.since(nonce)}
        for key in keys:
            del self._entries[key]
        if keys:
            self._write()

    def _write(self) -> None:
        lines = [_EntryLine(**kept._asdict()) for last in self.since(0) for kept in self.entries(last.key)]
        write_durably(self.path, (_JournalFile(entries=lines).model_dump_json(indent=1) + "\n").encode())
