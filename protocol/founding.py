"""The founding file: what the aggregator's operator fixed before the contracts exist, and the deployment puts on chain."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from protocol.errors import FormatError
from protocol.json_types import Address, Hash


class FoundingFile(BaseModel):
    """`founding.json`: written by `fairshare aggregator init`, read by `fairshare ledger deploy`. Addresses are checksummed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    config_hash: Hash
    task_hash: Hash
    genesis_model: Hash
    operator: Address
    aggregator: Address
    scorers: list[Address]


def read_founding(path: Path) -> FoundingFile:
    """Read a founding file.

    Raises `FormatError` if it is not there or not one.
    """
    try:
        return FoundingFile.model_validate_json(path.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise FormatError(f"{path} is not a founding file: run `fairshare aggregator init` first") from error
