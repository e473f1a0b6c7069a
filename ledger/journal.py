"""A Sender's journal in one small file: for commands of a few transactions that must survive being interrupted."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ledger.errors import JournalUnreadable
from ledger.sender import Entry, Mined
from protocol.api import HexBytes
from protocol.files import write_durably


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


class FileJournal:
    """Entries in a JSON file that is replaced as a whole, so that a kill leaves the old one or the new one.

    Raises `JournalUnreadable` if the file is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            file = _JournalFile.model_validate_json(path.read_bytes()) if path.exists() else _JournalFile()
        except ValidationError as error:
            raise JournalUnreadable(path) from error
        self._entries = {line.key: Entry(line.key, line.nonce, line.raw, line.tx_hash) for line in file.entries}

    def find(self, key: str) -> Entry | None:
        """The entry of this key."""
        return self._entries.get(key)

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""
        return max((entry.nonce for entry in self._entries.values()), default=None)

    def since(self, nonce: int) -> Sequence[Entry]:
        """The entries with this nonce or a higher one, lowest first."""
        return sorted((e for e in self._entries.values() if e.nonce >= nonce), key=lambda entry: entry.nonce)

    def record(self, entry: Entry) -> None:
        """Keep a new entry; it is on disk when this returns."""
        self._entries[entry.key] = entry
        lines = [_EntryLine(**entry._asdict()) for entry in self._entries.values()]
        write_durably(self.path, (_JournalFile(entries=lines).model_dump_json(indent=1) + "\n").encode())

    def mined(self, key: str, mined: Mined) -> None:
        """Nothing to note: the chain knows."""
