"""The signatures under expulsions that a scorer made or was given: one JSON file for each round and node, replaced whole."""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, ConfigDict, ValidationError

from protocol.files import write_durably
from protocol.json_types import HexBytes
from protocol.typed_data import Expulsion


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    round: int
    node: int
    signatures: dict[str, HexBytes]


class Expulsions:
    """The files of a directory, and up to which round the scorer has looked for nodes to sign out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._one_writer = Lock()

    def signatures(self, expulsion: Expulsion) -> Mapping[str, bytes]:
        """The signatures by their signers; none for a file that is not there or cannot be read."""
        try:
            return dict(_File.model_validate_json(self._file(expulsion).read_bytes()).signatures)
        except (FileNotFoundError, ValidationError):
            return {}

    def keep(self, expulsion: Expulsion, signer: str, signature: bytes) -> None:
        """Add a signature; it is on the disk when this returns."""
        with self._one_writer:
            kept = {**self.signatures(expulsion), signer: signature}
            file = _File(round=expulsion.round, node=expulsion.node, signatures=kept)
            write_durably(self._file(expulsion), (file.model_dump_json(indent=2) + "\n").encode())

    def all(self) -> tuple[Expulsion, ...]:
        """What there are signatures under, oldest first."""
        names = (path.stem.split("-") for path in self._directory.glob("[0-9]*-[0-9]*.json"))
        return tuple(sorted((Expulsion(int(number), int(node)) for number, node in names), key=lambda e: (e.round, e.node)))

    @property
    def looked_at(self) -> int:
        """The last round whose evidence was looked at for nodes to sign out."""
        try:
            return int((self._directory / "looked_at").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def look_after(self, number: int) -> None:
        """Note that a round was looked at, and all before it."""
        write_durably(self._directory / "looked_at", f"{number}\n".encode())

    def _file(self, expulsion: Expulsion) -> Path:
        return self._directory / f"{expulsion.round}-{expulsion.node}.json"
