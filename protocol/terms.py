"""A federation's terms as its members agree to them: this config and this task, under one hash, and what a change changes."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from protocol.config import FederationConfig, parse_config
from protocol.errors import FormatError
from protocol.json_types import Hash

_TERMS_TAG = b"fairshare/terms/1"

_FIXED_SECTIONS = ("stake",)
_FIXED = frozenset(
    {
        *(f"pay.{key}" for key in ("token_name", "token_symbol", "cap", "pool", "scorer_pool")),
        *(f"rounds.{phase}_seconds" for phase in ("commit", "close", "reveal", "grace", "propose", "window", "vote")),
        "rounds.maximum_pending",
    }
)


class TermsFile(BaseModel):
    """`terms.json`: config and task that `fairshare aggregator init` has checked and stored after the deployment, and
    `fairshare ledger announce` announces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    config_hash: Hash
    task_hash: Hash


class Change(NamedTuple):
    """A key of `federation.toml`, and what stands there before and after."""

    key: str
    before: str
    after: str

    @property
    def is_fixed(self) -> bool:
        """Whether the contracts were deployed with the value and keep it for ever, so that no terms can change it."""
        return self.key in _FIXED or self.key.partition(".")[0] in _FIXED_SECTIONS

    def __str__(self) -> str:
        return f"{self.key}: {self.before} -> {self.after}"


def read_terms(path: Path) -> TermsFile:
    """Read a terms file. Raises `FileNotFoundError`, `FormatError`."""
    try:
        return TermsFile.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise FormatError(f"{path} is not a terms file: run `fairshare aggregator init` on its directory again") from error


def terms_hash(config_hash: bytes, task_hash: bytes) -> bytes:
    """What a participant accepts: SHA-256(tag ‖ config hash ‖ task hash)."""
    return hashlib.sha256(_TERMS_TAG + config_hash + task_hash).digest()


def changes(before: str, after: str) -> tuple[Change, ...]:
    """What differs between two texts of `federation.toml`, key by key, as it is written there. "0.1" and "0.10" are the same.

    Raises `ConfigError` if one of them is none.
    """
    values = [_values(parse_config(text)) for text in (before, after)]
    written = [_flat(tomllib.loads(text)) for text in (before, after)]
    changed = (key for key in values[0] if values[0][key] != values[1][key])
    return tuple(Change(key, written[0][key], written[1][key]) for key in changed)


def _values(config: FederationConfig) -> dict[str, Any]:
    return {f"{section}.{key}": value for section, table in config.model_dump().items() for key, value in table.items()}


def _flat(table: dict[str, Any]) -> dict[str, str]:
    return {f"{section}.{key}": str(value) for section, keys in table.items() for key, value in keys.items()}
