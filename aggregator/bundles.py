"""Evidence as blobs, each named by its evidence root. Apart from `assembly`, as who only reads evidence needs no torch.

What is read is checked against its name: raises `BlobMissing`, or `BlobCorrupt` naming the blob that does not hash to it.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from aggregator.blobs import BlobStore
from aggregator.errors import BlobCorrupt
from protocol.evidence import Evidence
from protocol.evidence_json import evidence_from_json, evidence_to_json, header_from_json

_T = TypeVar("_T")


def read_evidence(root: bytes, blobs: BlobStore) -> Evidence:
    """The whole evidence with this root."""
    with decoding(root, blobs) as encoded:
        evidence = evidence_from_json(json.loads(encoded))
        evidence.check_roots()
    return checked(evidence, evidence.header.root(), root)


def read_bundle(root: bytes, blobs: BlobStore) -> Evidence:
    """The evidence with this root, its leaves not yet compared with the header: a replay names the one that differs.

    Raises `EvidenceError` as well, if the header has the root and what is under it is no evidence: of another version, or with a
    leaf that is none.
    """
    with decoding(root, blobs) as encoded:
        document = json.loads(encoded)
        header = header_from_json(document)
    checked(header, header.root(), root)
    return evidence_from_json(document)


def write_evidence(evidence: Evidence, blobs: BlobStore) -> bytes:
    """Store a round's evidence; its root."""
    root = evidence.header.root()
    blobs.put(root, json.dumps(evidence_to_json(evidence)).encode())
    return root


@contextmanager
def decoding(name: bytes, blobs: BlobStore) -> Iterator[bytes]:
    """The bytes of a blob that must be decoded before it can be hashed; whatever goes wrong inside names the blob."""
    encoded = blobs.get(name)
    try:
        yield encoded
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BlobCorrupt(name, hashlib.sha256(encoded).digest()) from error


def checked(value: _T, found: bytes, name: bytes) -> _T:
    """The value, if it hashes to its name. Raises `BlobCorrupt`."""
    if found != name:
        raise BlobCorrupt(name, found)
    return value
