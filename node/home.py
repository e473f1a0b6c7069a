"""The node directory: where its keys, invitation, accepted task, bodies and record of rounds lie."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from learning.source import TaskSource
from node.errors import HomeIncomplete, HomeInUse, TermsChanged
from node.settings import NodeSettings
from protocol.config import FederationConfig, parse_config
from protocol.files import write_durably
from protocol.invitation import InvitationFile, read_invitation


@dataclass(frozen=True)
class AcceptedTerms:
    """What the participant agreed to, read from the directory and hashed again: this config and this task's code."""

    config: FederationConfig
    task: TaskSource


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

    def invitation(self) -> InvitationFile:
        """The invitation that init stored. Raises `HomeIncomplete`, `FormatError`."""
        try:
            return read_invitation(self.path / "invitation.json")
        except FileNotFoundError:
            raise HomeIncomplete(self.path, "invitation.json") from None

    def keep_invitation(self, invitation: InvitationFile) -> None:
        """Store the invitation for join."""
        write_durably(self.path / "invitation.json", (invitation.model_dump_json(indent=2) + "\n").encode())

    def keep_terms(self, config_toml: str, task: TaskSource) -> None:
        """Store config and task as they were accepted, in place of what was accepted before."""
        write_durably(self.path / "federation.toml", config_toml.encode())
        folder = self.path / "task"
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in task.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_durably(folder / name, content)

    def terms(self, settings: NodeSettings) -> AcceptedTerms:
        """Config and task, which hash to what was accepted.

        Raises `HomeIncomplete` if they are not there, `TermsChanged` if a file was changed since, `ConfigError`.
        """
        folder, config_file = self.path / "task", self.path / "federation.toml"
        if not (folder.is_dir() and config_file.is_file()):
            raise HomeIncomplete(self.path, "task/" if config_file.is_file() else "federation.toml")
        config = parse_config(config_file.read_text())
        # As bytes: reading text would translate line ends, and the hash with them.
        files = ((file.relative_to(folder).as_posix(), file.read_bytes()) for file in folder.rglob("*.py"))
        task = TaskSource(settings.task_entry, tuple(sorted(files)))
        for what, accepted, found in (
            ("copy of the config in this directory", settings.accepted_config, config.sha256()),
            ("copy of the task in this directory", settings.accepted_task, task.sha256()),
        ):
            if accepted != found:
                raise TermsChanged(what, accepted, found)
        return AcceptedTerms(config, task)

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
