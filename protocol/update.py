"""An update's two halves: the signed commitment that is sent first, and the salted body that is revealed later.

The commitment binds the body to federation, round and node by a salt, so nobody can copy a body it has not seen, nor
send another node's body as its own once it has.
"""

import hashlib
import secrets

from protocol.errors import CommitmentError

_COMMITMENT_TAG = b"fairshare/commitment/1"


def new_salt() -> bytes:
    """32 bytes that nobody can guess: without them the commitment says nothing about the body."""
    return secrets.token_bytes(32)


def body_hash(body: bytes) -> bytes:
    """SHA-256 of the safetensors file of the update (trained minus base)."""
    return hashlib.sha256(body).digest()


def commitment(federation: bytes, round_number: int, node: int, salt: bytes, hashed_body: bytes) -> bytes:
    """`Update.parameters`: SHA-256(tag ‖ federation ‖ round ‖ node ‖ salt ‖ body hash), integers big-endian (8 and 4 bytes)."""
    preimage = federation + round_number.to_bytes(8) + node.to_bytes(4) + salt + hashed_body
    return hashlib.sha256(_COMMITMENT_TAG + preimage).digest()


def check_opening(committed: bytes, federation: bytes, round_number: int, node: int, salt: bytes, hashed_body: bytes) -> None:
    """Raise `CommitmentError` unless salt and body open the commitment."""
    if len(salt) != 32 or commitment(federation, round_number, node, salt, hashed_body) != committed:
        raise CommitmentError(
            f"this body and salt do not open the commitment that node {node} signed for round {round_number}: "
            "send the body that was trained and signed, with its own salt"
        )


def check_arrived(found: bytes, announced: bytes) -> None:
    """Raise `CommitmentError` unless the body that arrived has the hash that was announced."""
    if found != announced:
        raise CommitmentError(
            f"the body that arrived hashes to {found.hex()}, its header announced {announced.hex()}: "
            "send the body that was trained and signed"
        )
