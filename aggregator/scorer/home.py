"""The scorer's directory: its key, its settings, and what it gathered and attested.

scorer.toml     settings; environment variables FAIRSHARE_SCORER_* override them
keys/           scorer.json: encrypted V3 keystore
blobs/          content-addressed files, as other mirrors ask for them
rounds/         <round>.json: what was attested, and the signatures of other scorers
bodies/         <round>-<node>-<commitment>.json: bodies that nodes handed in here, see `forwarding`
expulsions/     <round>-<node>.json: signatures under expulsions, see `expulsions`
transactions/   what was sent to the chain and may not be mined, see `ledger.outbox`
nonces.sqlite   signed requests that were answered
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from aggregator.scorer.errors import ScorerHomeMissing
from aggregator.scorer.sources import FILE_BYTES
from ledger.client import LedgerClient
from ledger.places import read_address
from protocol.files import write_durably
from protocol.settings import LocalSettings


class ScorerSettings(LocalSettings):
    """`scorer.toml`. `mirrors` are the URLs of the aggregator, first, and of the other scorers."""

    model_config = SettingsConfigDict(env_prefix="FAIRSHARE_SCORER_", extra="forbid", frozen=True)

    rpc_url: str
    chain_id: Annotated[int, Field(gt=0, lt=1 << 63)]
    ledger: Annotated[str, AfterValidator(read_address)]
    mirrors: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8710
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    file_bytes: Annotated[int, Field(gt=0)] = FILE_BYTES

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
    def transactions(self) -> Path:
        """The outbox of the scorer's account."""
        return self.path / "transactions"

    @property
    def nonces_file(self) -> Path:
        """nonces.sqlite."""
        return self.path / "nonces.sqlite"

    def settings(self) -> ScorerSettings:
        """scorer.toml under the environment. Raises `ScorerHomeMissing`, or `FormatError` naming every bad key."""
        try:
            return ScorerSettings.read(self.settings_file)
        except FileNotFoundError:
            raise ScorerHomeMissing(self.settings_file) from None

    def write_settings(self, settings: ScorerSettings) -> None:
        """Replace scorer.toml."""
        write_durably(self.settings_file, settings.text().encode())
