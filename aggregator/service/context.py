"""What the parts of a running service share. Put together once, by `server.py` or a test, and never changed.

The terms are none of it: they change while the service runs, so whoever needs them asks by the hash that a round opened with.
"""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from eth_account.signers.local import LocalAccount

from aggregator.blobs import BlobStore
from aggregator.errors import BlobMissing, TermsMissing
from aggregator.service.store import Store
from aggregator.terms import read_config
from ledger.client import LedgerClient
from ledger.records import Timing
from protocol.config import FederationConfig
from protocol.typed_data import Domain


@dataclass(frozen=True)
class Federation:
    """What the ledger fixed for ever: read once at the start. `pool` in token base units, `timing` in seconds."""

    domain: Domain
    genesis_model: bytes
    pool: int
    timing: Timing
    token_symbol: str


@dataclass(frozen=True)
class Context:
    """Store and blobs remember, the ledger decides, `account` (the aggregator's key) signs receipts.

    `directory` is the federation directory, for what its operator is told. `news` is set whenever something came in that the
    coordinator may be waiting for.
    """

    federation: Federation
    store: Store
    blobs: BlobStore
    ledger: LedgerClient
    account: LocalAccount
    directory: Path
    news: Event = field(default_factory=Event)
    _configs: dict[bytes, FederationConfig] = field(default_factory=dict)

    def config(self, config_hash: bytes) -> FederationConfig:
        """The config with this hash. Raises `TermsMissing`, `BlobCorrupt`."""
        if config_hash not in self._configs:
            try:
                self._configs[config_hash] = read_config(config_hash, self.blobs)
            except BlobMissing:
                raise TermsMissing("config", config_hash, self.directory) from None
        return self._configs[config_hash]
