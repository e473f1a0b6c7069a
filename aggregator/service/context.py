"""What the parts of a running service share. Put together once, by `server.py` or a test, and never changed."""

from dataclasses import dataclass, field
from threading import Event

from eth_account.signers.local import LocalAccount

from aggregator.blobs import BlobStore
from aggregator.service.store import Store
from ledger.client import LedgerClient
from ledger.records import Timing
from protocol.config import FederationConfig
from protocol.typed_data import Domain


@dataclass(frozen=True)
class Federation:
    """What the ledger fixed for ever: read once at the start. `pool` in token base units, `timing` in seconds."""

    domain: Domain
    config: FederationConfig
    config_hash: bytes
    task_hash: bytes
    genesis_model: bytes
    pool: int
    timing: Timing
    token_symbol: str


@dataclass(frozen=True)
class Context:
    """Store and blobs remember, the ledger decides, `account` (the aggregator's key) signs receipts.

    `news` is set whenever something came in that the coordinator may be waiting for.
    """

    federation: Federation
    store: Store
    blobs: BlobStore
    ledger: LedgerClient
    account: LocalAccount
    news: Event = field(default_factory=Event)
