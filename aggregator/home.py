"""The federation directory: where an aggregator's files lie, and its local settings in `aggregator.toml`.

federation.toml   what all members agree on; its hash goes on chain
founding.json     what `fairshare ledger deploy` puts on chain
terms.json        once deployed: config and task that `fairshare ledger announce` announces
aggregator.toml   settings of this machine; environment variables FAIRSHARE_AGGREGATOR_* override them
keys/             operator.json, aggregator.json, scorer.json: encrypted V3 keystores with one passphrase
blobs/            content-addressed files
deployments/      <chain id>.json: where the contracts are
state.sqlite      the rounds, unless `database` names another place
nonces.sqlite     signed requests that were answered, until their deadlines have passed
service.json      URL and process of the running service; there only while it runs
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from aggregator.blobs import BlobStore
from aggregator.errors import HomeMissing, NotDeployed
from ledger.deployment import Deployment, deployment_path, read_deployment
from protocol.json_types import HexBytes
from protocol.settings import LocalSettings

KEYS = ("operator", "aggregator", "scorer")


def _hash(value: bytes) -> bytes:
    if len(value) != 32:
        raise ValueError("a hash has 32 bytes: 0x and 64 hexadecimal digits")
    return value


Hash = Annotated[HexBytes, AfterValidator(_hash)]


class Settings(LocalSettings):
    """`aggregator.toml`. `database` is a SQLAlchemy URL, empty for SQLite in the directory; `poll_seconds` is how long the
    coordinator waits between looks at the chain; `memory` in MiB bounds each of what an evaluation holds of updates, models
    and activations at a time; `scorers` are the URLs of scorers that nodes are told; `ray` is the address of a Ray cluster to
    evaluate on, empty for this process; `shards` and `root_set` name the blobs of the aggregator's own data.
    """

    model_config = SettingsConfigDict(env_prefix="FAIRSHARE_AGGREGATOR_", extra="forbid", frozen=True)

    rpc_url: str
    chain_id: Annotated[int, Field(gt=0, lt=1 << 63)]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8700
    database: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.2
    memory: Annotated[int, Field(ge=16, le=1 << 20)] = 512
    scorers: tuple[str, ...] = ()
    ray: str = ""
    shards: Annotated[tuple[Hash, ...], Field(min_length=1)]
    root_set: Hash


class ServiceFile(BaseModel):
    """`service.json`: where the running service answers. It is removed when the service ends, but not when it is killed."""

    model_config = ConfigDict(frozen=True)

    pid: int
    url: str


@dataclass(frozen=True)
class AggregatorHome:
    """The files of one federation under `path`."""

    path: Path

    @property
    def federation_file(self) -> Path:
        """federation.toml."""
        return self.path / "federation.toml"

    @property
    def founding_file(self) -> Path:
        """founding.json."""
        return self.path / "founding.json"

    @property
    def terms_file(self) -> Path:
        """terms.json."""
        return self.path / "terms.json"

    @property
    def settings_file(self) -> Path:
        """aggregator.toml."""
        return self.path / "aggregator.toml"

    @property
    def nonces_file(self) -> Path:
        """nonces.sqlite."""
        return self.path / "nonces.sqlite"

    @property
    def service_file(self) -> Path:
        """service.json."""
        return self.path / "service.json"

    def key(self, name: str) -> Path:
        """Keystore of one of `KEYS`."""
        return self.path / "keys" / f"{name}.json"

    @property
    def blobs_directory(self) -> Path:
        """The content-addressed files."""
        return self.path / "blobs"

    def blobs(self) -> BlobStore:
        """The content-addressed files, to read and write."""
        return BlobStore(self.blobs_directory)

    def settings(self) -> Settings:
        """aggregator.toml under the environment. Raises `HomeMissing`, or `FormatError` naming every bad key."""
        try:
            return Settings.read(self.settings_file)
        except FileNotFoundError:
            raise HomeMissing(self.settings_file) from None

    def database_url(self, settings: Settings) -> str:
        """Where the rounds are kept."""
        return settings.database or f"sqlite:///{(self.path / 'state.sqlite').absolute()}"

    def deployment(self, chain_id: int) -> Deployment:
        """Where the contracts are on this chain. Raises `NotDeployed`."""
        path = deployment_path(self.path, chain_id)
        if not path.exists():
            raise NotDeployed(self.path, chain_id)
        return read_deployment(path)

    def deployments(self) -> tuple[Path, ...]:
        """The deployment files of all chains."""
        return tuple(sorted((self.path / "deployments").glob("[0-9]*.json")))
