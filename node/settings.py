"""node.toml: where this node's federation is, and what of it the participant has accepted."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from node.errors import SettingsInvalid
from protocol.api import HexBytes

PREFIX = "FAIRSHARE_NODE_"
"""FAIRSHARE_NODE_RPC_URL overrides `rpc_url`, and so on for every field."""


def _listed(value: object) -> object:
    return [url for url in value.split(",") if url] if isinstance(value, str) else value


class NodeSettings(BaseModel):
    """Ledger and chain id come from the invitation, never from `federation_url`, which is checked against them.

    `accepted_config` and `accepted_task` are the 32-byte hashes that the participant agreed to; `data` is the source string
    of the task's `load`, None for the task's default; `payout` is where rewards go. `scorers` are URLs that a body goes to if the
    aggregator does not take it; in the environment they are separated by commas.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    federation_url: str
    rpc_url: str
    chain_id: int
    ledger: str
    payout: str
    data: str | None = None
    scorers: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    task_entry: str
    accepted_config: HexBytes = Field(min_length=32, max_length=32)
    accepted_task: HexBytes = Field(min_length=32, max_length=32)


def read_settings(path: Path, environment: Mapping[str, str] = os.environ) -> NodeSettings:
    """Read node.toml; variables of `environment` named `PREFIX` + FIELD win over the file.

    Raises `SettingsInvalid` naming every field that is missing, unknown or malformed; `FileNotFoundError` without a file.
    """
    names = NodeSettings.model_fields
    overrides = {name: environment[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in environment}
    try:
        return NodeSettings.model_validate({**tomllib.loads(path.read_text(encoding="utf-8")), **overrides})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(path, f"not valid TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise SettingsInvalid(path, faults) from error


def settings_text(settings: NodeSettings) -> str:
    """The text of node.toml that reads as `settings`."""
    # A JSON string is a TOML string, but for DEL, which JSON leaves bare and TOML wants escaped.
    fields = settings.model_dump(mode="json", exclude_none=True)
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items()).replace(
        "\x7f", "\\u007f"
    )
