"""The node directory: where its keys, invitation, accepted terms, bodies and record of rounds lie."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from learning.source import TaskSource
from node.errors import HomeIncomplete, HomeInUse, TermsChanged
from node.settings import NodeSettings
from protocol.config import FederationConfig, RoundsSection, parse_config
from protocol.files import sync_folder, write_durably
from protocol.invitation import InvitationFile, read_invitation
from protocol.terms import terms_hash


@dataclass(frozen=True)
class Terms:
    """What a participant agrees to: this config, of which `config_toml` is the text, and this task's code."""

    config_toml: str
    config: FederationConfig
    task: TaskSource

    @property
    def digest(self) -> bytes:
        """The hash that they are accepted by."""
        return terms_hash(self.config.sha256(), self.task.sha256())


@dataclass(frozen=True)
class NodeHome:
    """The files of one node under `path`; one directory is one node of one federation."""

    path: Path

    @property
    def owner_key(self) -> Path:
        """Keystore of the account that joins and claims."""
        return self.path / "keys" / "owner.json"

    @property
    def signing_key(self) -> Path:
        """Keystore of the plain key that signs updates."""
        return self.path / "keys" / "signing.json"

    @property
    def settings_file(self) -> Path:
        """node.toml."""
        return self.path / "node.toml"

    @property
    def store(self) -> Path:
        """The SQLite record of rounds."""
        return self.path / "state.sqlite"

    @property
    def transactions(self) -> Path:
        """What the commands have sent and not seen mined, a file per account."""
        return self.path / "transactions"

    def settings(self) -> NodeSettings:
        """node.toml under the environment. Raises `HomeIncomplete` before init is finished, `FormatError` on bad keys."""
        try:
            return NodeSettings.read(self.settings_file)
        except FileNotFoundError:
            raise HomeIncomplete(self.path, "node.toml") from None

    def written_settings(self) -> NodeSettings | None:
        """node.toml alone, to be changed and written again; None before init is finished. Raises `FormatError`."""
        return NodeSettings.written(self.settings_file) if self.settings_file.exists() else None

    def write_settings(self, settings: NodeSettings) -> None:
        """Replace node.toml; written last by init, so that a node.toml means that everything else is there."""
        write_durably(self.settings_file, settings.text().encode())

    def invitation(self) -> InvitationFile | None:
        """The invitation that init stored, None for a federation that is open. Raises `FormatError`."""
        try:
            return read_invitation(self.path / "invitation.json")
        except FileNotFoundError:
            return None

    def keep_invitation(self, invitation: InvitationFile) -> None:
        """Store the invitation for join."""
        write_durably(self.path / "invitation.json", (invitation.model_dump_json(indent=2) + "\n").encode())

    def keep_terms(self, terms: Terms) -> None:
        """Store terms that were accepted, beside those that were before: rounds may yet open with either."""
        folder = self._terms_folder(terms.digest)
        if folder.exists():
            return
        arriving = folder.with_suffix(".new")
        shutil.rmtree(arriving, ignore_errors=True)
        for name, content in (("federation.toml", terms.config_toml.encode()), ("entry", terms.task.entry.encode())):
            (arriving / name).parent.mkdir(parents=True, exist_ok=True)
            write_durably(arriving / name, content)
        for name, content in terms.task.files:
            (arriving / "task" / name).parent.mkdir(parents=True, exist_ok=True)
            write_durably(arriving / "task" / name, content)
        arriving.rename(folder)
        sync_folder(folder.parent)

    def accepted(self, config_hash: bytes, task_hash: bytes) -> Terms | None:
        """The terms with these hashes, read and hashed again; None if they were not accepted here.

        Raises `TermsChanged` if a file was changed since, `ConfigError`.
        """
        folder = self._terms_folder(terms_hash(config_hash, task_hash))
        return _read_terms(folder) if folder.is_dir() else None

    def last_accepted(self) -> Terms | None:
        """The terms that were accepted last, None before any were. Raises as `accepted`."""
        folders = [folder for folder in (self.path / "terms").glob("*") if not folder.suffix]
        return _read_terms(max(folders, key=lambda folder: folder.stat().st_mtime)) if folders else None

    def rounds(self) -> RoundsSection:
        """The clock of a round, which is the same in all terms. Raises `HomeIncomplete` before any were accepted."""
        for file in sorted((self.path / "terms").glob("*/federation.toml")):
            if not file.parent.suffix:
                return parse_config(file.read_text()).rounds
        raise HomeIncomplete(self.path, "accepted terms")

    def _terms_folder(self, digest: bytes) -> Path:
        return self.path / "terms" / digest.hex()

    def keep_body(self, round_number: int, body: bytes) -> Path:
        """Store a trained body durably, before anything is signed about it."""
        path = self.body(round_number)
        path.parent.mkdir(exist_ok=True)
        write_durably(path, body)
        return path

    def body(self, round_number: int) -> Path:
        """Where the body of a round lies."""
        return self.path / "bodies" / f"{round_number}.safetensors"

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep any other `run` out of this directory; the lock ends with the process, however it ends. Raises `HomeInUse`."""
        with (self.path / "run.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeInUse(self.path) from None
            yield


def _read_terms(folder: Path) -> Terms:
    toml = (folder / "federation.toml").read_text()
    # As bytes: reading text would translate line ends, and the hash with them.
    files = ((file.relative_to(folder / "task").as_posix(), file.read_bytes()) for file in (folder / "task").rglob("*.py"))
    task = TaskSource((folder / "entry").read_text(), tuple(sorted(files)))
    found = Terms(toml, parse_config(toml), task)
    if found.digest.hex() != folder.name:
        raise TermsChanged(folder, found.digest)
    return found
