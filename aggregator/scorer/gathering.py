"""What a scorer works with: the chain, the mirrors that it asks and tells, its key, and the blobs that it gathers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from aggregator.mirror.claim import Claim
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.scorer.sources import Directory, GatheredBlobs, MirrorSource
from ledger.client import LedgerClient
from ledger.outbox import outbox
from ledger.records import Call
from ledger.sender import Mined, Sender
from protocol.client import FederationClient
from protocol.errors import ServiceError, SignatureError
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
        """The root of the evidence that the aggregator, the first mirror, claims for a round that is not proposed yet, or that
        f + 1 scorers signed; None if there is none.

        What fewer signed may be f dishonest scorers' alone: it would replay and differ within the tolerances, and whoever signed
        it could not sign the aggregator's.
        """
        if any(self.ledger.round(number).evidence_root):
            return None
        for mirror in self.mirrors:
            try:
                view = mirror.attestations(number)
            except ServiceError:
                continue
            claim = Claim(number, view.seed, view.evidence_root, view.scores, view.model)
            if mirror is self.mirrors[0] or len(self.signed(claim, view.signatures)) > len(self.ledger.scorers(number)) // 3:
                return claim.evidence_root
        return None

    def signed(self, claim: Claim, signatures: Iterable[bytes]) -> dict[str, bytes]:
        """Those of the signatures that scorers whose bond counts put under a claim, by their signers."""
        bonded, found = self.ledger.bonded(claim.round), dict[str, bytes]()
        for signature in signatures:
            try:
                signer = claim.attestation.signer(self.ledger.domain, signature)
            except SignatureError:
                continue
            if signer in bonded:
                found[signer] = signature
        return found


@contextmanager
def gather(
    home: ScorerHome, settings: ScorerSettings, places: Sequence[str], blobs: Path, account: LocalAccount | None
) -> Iterator[Gathering]:
    """Open the chain and every place, a URL or a directory, that evidence is had from.

    Requests are signed for the mirrors of scorer.toml only: whoever gets a signed request can pass it on within its minute, and
    has what the scorer may see.
    """
    ledger = settings.open_ledger()
    signer = None if account is None else RequestSigner(ledger.domain, account)
    known = {mirror.rstrip("/") for mirror in settings.mirrors}
    with ExitStack() as stack:
        mirrors: list[FederationClient] = []
        sources: list[Directory | MirrorSource] = []
        for place in places:
            if "://" in place:
                trusted = signer if place.rstrip("/") in known else None
                mirrors.append(stack.enter_context(FederationClient(place, signer=trusted)))
                sources.append(MirrorSource(mirrors[-1]))
            else:
                sources.append(Directory(Path(place)))
        yield Gathering(home, settings, ledger, GatheredBlobs(blobs, sources, settings.file_bytes), tuple(mirrors), account)
