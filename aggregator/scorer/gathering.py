"""What a scorer works with: the chain, the mirrors that it asks and tells, its key, and the blobs that it gathers."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.scorer.sources import Directory, GatheredBlobs, MirrorSource
from ledger.client import LedgerClient
from ledger.outbox import outbox
from ledger.records import Call
from ledger.sender import Mined, Sender
from protocol.client import FederationClient
from protocol.errors import ServiceError
from protocol.requests import RequestSigner


@dataclass(frozen=True)
class Gathering:
    """`mirrors` in the order of scorer.toml: the aggregator first. `account` is None where nothing is signed."""

    home: ScorerHome
    settings: ScorerSettings
    ledger: LedgerClient
    blobs: GatheredBlobs
    mirrors: tuple[FederationClient, ...]
    account: LocalAccount | None

    def send(self, key: str, call: Call) -> Mined:
        """Send a call with the scorer's key, out of its outbox: killed and given again, it is sent once. Raises as `Sender`."""
        assert self.account is not None, "this needs the scorer's key"
        with outbox(self.home.transactions, self.ledger.web3, self.account.address) as journal:
            return Sender(self.ledger.web3, self.account, journal).submit(key, call)

    def claimed(self, number: int) -> bytes | None:
        """The root of the evidence that some mirror claims for a round that is not proposed yet; None if none does."""
        if any(self.ledger.round(number).evidence_root):
            return None
        for mirror in self.mirrors:
            try:
                return mirror.attestations(number).evidence_root
            except ServiceError:
                continue
        return None


@contextmanager
def gather(
    home: ScorerHome, settings: ScorerSettings, places: Sequence[str], blobs: Path, account: LocalAccount | None
) -> Iterator[Gathering]:
    """Open the chain and every place, a URL or a directory, that evidence is had from."""
    ledger = settings.open_ledger()
    signer = None if account is None else RequestSigner(ledger.domain, account)
    with ExitStack() as stack:
        mirrors: list[FederationClient] = []
        sources: list[Directory | MirrorSource] = []
        for place in places:
            if "://" in place:
                mirrors.append(stack.enter_context(FederationClient(place, signer=signer)))
                sources.append(MirrorSource(mirrors[-1]))
            else:
                sources.append(Directory(Path(place)))
        yield Gathering(home, settings, ledger, GatheredBlobs(blobs, sources), tuple(mirrors), account)
