"""What a mirror serves, behind one interface: the aggregator has it in its database, a scorer in its directory."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from aggregator.blobs import BlobStore
from aggregator.mirror.claim import Claim
from aggregator.mirror.doubles import Double
from protocol.api import ExpulsionView
from protocol.evidence import Access, Evidence
from protocol.evidence_json import evidence_from_json

_REMEMBERED = 8


class Library(Protocol):
    """The evidence of rounds and everything that it names. Each method raises `UnknownRound` or `NotYetThere`."""

    @property
    def blobs(self) -> BlobStore:
        """Whatever is named by its hash."""

    def evidence_root(self, number: int, access: Access) -> bytes:
        """The root of a round's evidence; before the round is proposed only for scorers, who are to attest it."""

    def claim(self, number: int) -> Claim:
        """The outcome that attestations are gathered for."""

    def attestations(self, number: int) -> Sequence[bytes]:
        """The signatures under it so far, ascending by their signers' addresses, as `propose` takes them."""

    def take_attestation(self, number: int, signature: bytes) -> None:
        """Keep a scorer's signature under the claim. Raises `WrongAttestation`, `SignatureError`."""

    def expulsion(self, number: int, node: int) -> ExpulsionView:
        """The scorers' signatures so far under the expulsion of a node for a Final round. Raises `UnknownNode`, too."""

    def take_expulsion(self, number: int, node: int, signature: bytes) -> None:
        """Keep a scorer's signature under an expulsion. Raises `UnknownNode`, `WrongAttestation`, `SignatureError`."""

    def double_updates(self, number: int) -> Sequence[Double]:
        """The pairs of Updates by one node that were seen here in a round."""

    def is_public_model(self, name: bytes) -> bool:
        """Whether some round started from this model, or ended with it in public."""


class EvidenceReader:
    """Reads evidence from blobs. It is named by its root, so a copy never gets old."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.read = lru_cache(_REMEMBERED)(self._read)

    def _read(self, root: bytes) -> Evidence:
        return evidence_from_json(json.loads(self._blobs.get(root)))
