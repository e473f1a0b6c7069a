"""Attestation: a scorer signs the outcome of a closed round if it got the same outcome itself."""

from eth_account.signers.local import LocalAccount

from aggregator.blobs import BlobStore
from aggregator.scorer.verify import Verified, verify
from ledger.client import LedgerClient


def attest(
    ledger: LedgerClient, blobs: BlobStore, round_number: int, evidence_root: bytes | None, account: LocalAccount
) -> tuple[Verified, bytes]:
    """Replay a round with the claimed evidence (or, once proposed, the chain's) and sign it: 65 bytes, as `propose` takes them.

    Raises whatever `verify` raises. Nothing is signed then.
    """
    verified = verify(ledger, blobs, round_number, evidence_root)
    return verified, verified.claim.attestation.sign(ledger.domain, account)
