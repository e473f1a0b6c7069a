"""Signed requests: how a member or a scorer shows who it is to whoever serves evidence.

The EIP-712 `Request` (method, path, hash of the body, nonce, deadline) travels in headers beside what it signs. A request is
good for one use within a minute; it names no server, as everyone who serves evidence may see all of it.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from protocol.errors import SignatureError
from protocol.typed_data import Domain, Request

NONCE_HEADER = "Fairshare-Nonce"
DEADLINE_HEADER = "Fairshare-Deadline"
BODY_HASH_HEADER = "Fairshare-Body-Hash"
SIGNATURE_HEADER = "Fairshare-Signature"

LIFETIME_SECONDS = 60
"""How long after its signing a request is good for."""

SKEW_SECONDS = 30
"""How far the clocks of the two sides may be apart."""

NO_BODY = hashlib.sha256(b"").digest()

_HEX32 = re.compile(r"0x[0-9a-fA-F]{64}")
_HEX65 = re.compile(r"0x[0-9a-fA-F]{130}")
_DEADLINE = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class RequestSigner:
    """Signs requests to a federation's servers with one key; `clock` gives unix seconds."""

    domain: Domain
    account: LocalAccount
    clock: Callable[[], float] = time.time

    def headers(self, method: str, path: str, body_hash: bytes = NO_BODY) -> dict[str, str]:
        """The headers of one request. `path` is that under the server's URL, with its query; `body_hash` is SHA-256."""
        deadline = int(self.clock()) + LIFETIME_SECONDS
        request = Request(method, path, body_hash, secrets.token_bytes(32), deadline)
        return {
            NONCE_HEADER: "0x" + request.nonce.hex(),
            DEADLINE_HEADER: str(deadline),
            BODY_HASH_HEADER: "0x" + body_hash.hex(),
            SIGNATURE_HEADER: "0x" + request.sign(self.domain, self.account).hex(),
        }


def read_request(domain: Domain, method: str, path: str, headers: Mapping[str, str]) -> tuple[Request, str] | None:
    """The Request that the headers sign and the address that signed it; None if they sign nothing.

    The body must still hash to `body_hash`, the deadline be kept and the nonce be new. Raises `SignatureError`.
    """
    if SIGNATURE_HEADER not in headers:
        return None
    nonce, deadline = headers.get(NONCE_HEADER, ""), headers.get(DEADLINE_HEADER, "")
    body, signature = headers.get(BODY_HASH_HEADER, "0x" + NO_BODY.hex()), headers[SIGNATURE_HEADER]
    if not (_HEX32.fullmatch(nonce) and _HEX32.fullmatch(body) and _DEADLINE.fullmatch(deadline)):
        raise SignatureError(f"{NONCE_HEADER}, {DEADLINE_HEADER} or {BODY_HASH_HEADER} is missing or malformed")
    if not _HEX65.fullmatch(signature):
        raise SignatureError(f"{SIGNATURE_HEADER} is not 0x and 130 hexadecimal digits")
    request = Request(method, path, bytes.fromhex(body[2:]), bytes.fromhex(nonce[2:]), int(deadline))
    return request, request.signer(domain, bytes.fromhex(signature[2:]))
