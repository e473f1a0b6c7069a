"""What a signed request signs is what is read from its headers, and from nothing else."""

import pytest

from protocol.errors import SignatureError
from protocol.requests import (
    BODY_HASH_HEADER,
    DEADLINE_HEADER,
    LIFETIME_SECONDS,
    NO_BODY,
    NONCE_HEADER,
    SIGNATURE_HEADER,
    RequestSigner,
    read_request,
)
from protocol.typed_data import Domain
from tests.support.chain import account
from tests.support.rounds import DOMAIN

SIGNER = RequestSigner(DOMAIN, account("scorer"), clock=lambda: 1000.7)


def test_headers_say_who_signed_and_until_when() -> None:
    headers = SIGNER.headers("GET", "/v1/rounds/1/evidence")
    found = read_request(DOMAIN, "GET", "/v1/rounds/1/evidence", headers)
    assert found is not None
    request, signer = found
    assert signer == account("scorer").address
    assert (request.deadline, request.body_hash) == (1000 + LIFETIME_SECONDS, NO_BODY)
    assert SIGNER.headers("GET", "/")[NONCE_HEADER] != headers[NONCE_HEADER]
    assert read_request(DOMAIN, "GET", "/", {}) is None


def test_any_other_request_is_signed_by_somebody_else() -> None:
    headers = SIGNER.headers("PUT", "/v1/x?y=1", b"\x01" * 32)
    changed = [
        read_request(DOMAIN, "GET", "/v1/x?y=1", headers),
        read_request(DOMAIN, "PUT", "/v1/x?y=2", headers),
        read_request(Domain(1, DOMAIN.ledger), "PUT", "/v1/x?y=1", headers),
        read_request(DOMAIN, "PUT", "/v1/x?y=1", headers | {NONCE_HEADER: "0x" + "11" * 32}),
        read_request(DOMAIN, "PUT", "/v1/x?y=1", headers | {DEADLINE_HEADER: "99999"}),
        read_request(DOMAIN, "PUT", "/v1/x?y=1", headers | {BODY_HASH_HEADER: "0x" + "02" * 32}),
    ]
    assert all(found is not None and found[1] != account("scorer").address for found in changed)


@pytest.mark.parametrize("header", [NONCE_HEADER, DEADLINE_HEADER, BODY_HASH_HEADER, SIGNATURE_HEADER])
@pytest.mark.parametrize("value", ["", "0x", "x" * 66, "-5", "1e9"])
def test_malformed_headers_are_refused(header: str, value: str) -> None:
    with pytest.raises(SignatureError):
        read_request(DOMAIN, "GET", "/", SIGNER.headers("GET", "/") | {header: value})
