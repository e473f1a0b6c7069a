"""`fairshare scorer verify`: whether a round is what its rules make of its inputs, with no trust in whoever serves it.

The chain says which evidence; evidence and all that it names may come from anywhere, as each is checked against its hash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from aggregator.assembly import assemble
from aggregator.blobs import BlobStore
from aggregator.bundles import read_bundle
from aggregator.errors import BlobCorrupt, BlobMissing
from aggregator.mirror.claim import Claim
from aggregator.scorer.errors import ChainDisagrees, NothingToVerify
from aggregator.scorer.quick import verify_quickly
from aggregator.scorer.references import PROPOSED, references_from
from aggregator.scorer.replay import Margins, replay
from aggregator.scorer.sources import GatheredBlobs
from ledger.client import LedgerClient
from ledger.records import RoundState
from protocol.errors import EvidenceError
from protocol.evidence import Evidence, Kind
from protocol.shares import pack_scores

_T = TypeVar("_T")


@dataclass(frozen=True)
class Verified:
    """A round that replayed: its evidence, what it claims, how much of each tolerance it uses, and the leaves that a quick
    verification drew; none if all were recomputed.
    """

    evidence: Evidence
    claim: Claim
    margins: Margins
    drawn: tuple[str, ...] = ()


def verify(
    ledger: LedgerClient, blobs: BlobStore, round_number: int, claimed: bytes | None = None, quick: int | None = None
) -> Verified:
    """Replay a round: the proposed one by the chain, or a closed one with the `claimed` evidence root. With `quick`, see there.

    Raises `ReplayError` or an error of evidence, signature or commitment if the round is not what it should be;
    `NothingToVerify`, `BlobMissing`, `BlobCorrupt`, or what the ledger raises if that cannot be told.
    """
    on_chain = ledger.round(round_number)
    if on_chain.state not in (RoundState.CLOSED, *PROPOSED):
        raise NothingToVerify(round_number, str(on_chain.state))
    root = on_chain.evidence_root if on_chain.state in PROPOSED else claimed
    if root is None:
        raise NothingToVerify(round_number, f"{on_chain.state}, and no outcome is claimed for it")
    if claimed not in (None, root):
        raise ChainDisagrees("evidence root", claimed.hex(), root.hex())
    published = read_published(root, blobs)
    references = references_from(published, ledger, round_number)
    inputs = intact(blobs, lambda: assemble(references, blobs))
    if quick is None:
        outcome, margins = replay(inputs, published)
        scores, model, drawn = outcome.scores, outcome.model_hash, tuple[str, ...]()
    else:
        drawn, margin = verify_quickly(inputs, published, quick)
        margins = {"utility": margin}
        leaves = published.by_kind[Kind.SCORE]
        scores = tuple(leaves[node].get("score") if node in leaves else 0 for node in range(max(leaves, default=-1) + 1))
        model = published.by_kind[Kind.MODEL][0].get("hash")
    claim = Claim(round_number, references.seed, root, pack_scores(scores), model)
    if on_chain.state in PROPOSED:
        _check_proposal(ledger, claim)
    return Verified(published, claim, margins, drawn)


def intact(blobs: BlobStore, read: Callable[[], _T]) -> _T:
    """What `read` gives; a blob that proves corrupt is taken from another source, as long as there is one."""
    while True:
        try:
            return read()
        except BlobCorrupt as corrupt:
            if not isinstance(blobs, GatheredBlobs) or not blobs.refuse(corrupt.name):
                raise


def read_published(root: bytes, blobs: BlobStore) -> Evidence:
    """The evidence with this root, from a source whose leaves are those that were hashed.

    If there is none, the last one's: its header is the right one, and a replay names the leaf that differs. If not even its form
    is right, `EvidenceError` says so. Raises `BlobMissing`, `BlobCorrupt` if no source has a header with this root.
    """
    lie: Evidence | EvidenceError | None = None
    while True:
        published: Evidence | None = None
        try:
            published = intact(blobs, lambda: read_bundle(root, blobs))
            published.check_roots()
            return published
        except EvidenceError as error:
            lie = published or error
            if isinstance(blobs, GatheredBlobs) and blobs.refuse(root):
                continue
        except (BlobMissing, BlobCorrupt):
            if lie is None:
                raise
        if isinstance(lie, EvidenceError):
            raise lie
        return lie


def _check_proposal(ledger: LedgerClient, claim: Claim) -> None:
    """The chain recorded what was replayed."""
    proposed = ledger.round(claim.round)
    for what, own, chain in (
        ("seed", claim.seed, proposed.seed),
        ("model", claim.model_hash, proposed.model_hash),
        ("scores", claim.scores, pack_scores(ledger.scores(claim.round))),
    ):
        if own != chain:
            raise ChainDisagrees(what, own.hex(), chain.hex())
