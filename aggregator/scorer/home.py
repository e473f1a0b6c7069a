"""The scorer's directory: its key, its settings, and what it gathered and attested.

scorer.toml     settings; environment variables FAIRSHARE_SCORER_* override them
keys/           scorer.json: encrypted V3 keystore
blobs/          content-addressed files, as other mirrors ask for them
rounds/         <round>.json: what was attested, and the signatures of other scorers
bodies/         <round>-<node>.json: bodies that nodes handed in here, see `forwarding`
nonces.sqlite   signed requests that were answered
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aggregator.scorer.errors import ScorerHomeIncomplete
from ledger.client import LedgerClient
from ledger.places import read_address
from protocol.files import write_durably


class ScorerSettings(BaseSettings):
    """`scorer.toml`. `mirrors` are the URLs of the aggregator, first, and of the other scorers."""

    model_config = SettingsConfigDict(env_prefix="FAIRSHARE_SCORER_", extra="forbid", frozen=True)

    rpc_url: str
    chain_id: Annotated[int, Field(gt=0, lt=1 << 63)]
    ledger: Annotated[str, AfterValidator(read_address)]
    mirrors: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8710
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first; `init_settings` is what the file says."""
        return env_settings, init_settings

    def open_ledger(self) -> LedgerClient:
        """The federation on chain. Raises what the ledger raises."""
        return LedgerClient.open(self.rpc_url, self.chain_id, self.ledger)


@dataclass(frozen=True)
class ScorerHome:
    """The files of one scorer of one federation under `path`."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """scorer.toml."""
        return self.path / "scorer.toml"

    @property
    def key(self) -> Path:
        """The scorer's keystore."""
        return self.path / "keys" / "scorer.json"

    @property
    def blobs_directory(self) -> Path:
        """The content-addressed files."""
        return self.path / "blobs"

    @property
    def nonces_file(self) -> Path:
        """nonces.sqlite."""
        return self.path / "nonces.sqlite"

    def settings(self) -> ScorerSettings:
        """scorer.toml under the environment. Raises `ScorerHomeIncomplete` naming every bad key."""
        try:
            return ScorerSettings(**tomllib.loads(self.settings_file.read_text()))
        except FileNotFoundError:
            raise ScorerHomeIncomplete(self.settings_file, "it is missing") from None
        except tomllib.TOMLDecodeError as error:
            raise ScorerHomeIncomplete(self.settings_file, f"not valid TOML: {error}") from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ScorerHomeIncomplete(self.settings_file, faults) from error

    def write_settings(self, settings: ScorerSettings) -> None:
        """Replace scorer.toml."""
        fields = settings.model_dump(mode="json")
        text = "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items())
        write_durably(self.settings_file, text.encode())
