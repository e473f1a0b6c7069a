import contextlib
from dataclasses import fields, replace
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import FormatError, SignatureError
from protocol.typed_data import Attestation, Domain, Invitation, Receipt, Request, TypedMessage, Update
from tests.protocol import by_hand, story

DOMAIN = Domain(story.CHAIN_ID, story.LEDGER)
OTHER_LEDGER = by_hand.address(story.key("operator"))
SIGNER = Account.from_key(story.key("node 5"))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

by_type = {
    "uint32": st.integers(0, (1 << 32) - 1),
    "uint40": st.integers(0, (1 << 40) - 1),
    "uint64": st.integers(0, (1 << 64) - 1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "address": st.integers(1, 1000).map(by_hand.address),
    "string": st.text(),
}
KINDS: list[type[TypedMessage]] = [Update, Receipt, Attestation, Request, Invitation]


def messages(kind: type[TypedMessage]) -> st.SearchStrategy[TypedMessage]:
    return st.builds(kind, **{name: by_type[solidity_type] for name, _, solidity_type in kind.solidity_fields()})


any_message = st.one_of([messages(kind) for kind in KINDS])


@given(any_message)
def test_the_digest_is_that_of_EIP_712_by_hand(message):
    type_string = story.TYPES[message.primary_type.lower()]
    hashed = by_hand.struct_hash(type_string, [getattr(message, field.name) for field in fields(message)])
    assert message.digest(DOMAIN) == by_hand.signing_digest(story.FEDERATION, hashed)


@given(any_message)
@settings(max_examples=30)
def test_who_signs_is_recovered(message):
    signature = message.sign(DOMAIN, SIGNER)
    assert len(signature) == 65
    assert message.signer(DOMAIN, signature) == SIGNER.address


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=30)
def test_every_field_is_signed(kind: type[TypedMessage], data):
    message = data.draw(messages(kind))
    for name, _, solidity_type in kind.solidity_fields():
        other = data.draw(by_type[solidity_type])
        if other != getattr(message, name):
            assert replace(message, **{name: other}).digest(DOMAIN) != message.digest(DOMAIN)


@pytest.mark.parametrize("other", [Domain(1, story.LEDGER), Domain(story.CHAIN_ID, OTHER_LEDGER)], ids=["chain", "ledger"])
def test_another_federation_is_another_digest(other: Domain):
    message = Receipt(1, 2, bytes(32))
    assert other.separator != DOMAIN.separator
    assert message.digest(other) != message.digest(DOMAIN)
    assert message.signer(other, message.sign(DOMAIN, SIGNER)) != SIGNER.address


def test_the_separator_is_the_one_of_the_chain():
    for chain_id in (1, 31337, (1 << 256) - 1):
        assert Domain(chain_id, story.LEDGER).separator == by_hand.domain_separator(chain_id, story.LEDGER)


@pytest.mark.parametrize(
    ("chain_id", "ledger"),
    [
        (-1, story.LEDGER),
        (1 << 256, story.LEDGER),
        (True, story.LEDGER),
        ("1", story.LEDGER),
        (1, story.LEDGER.lower()),
        (1, "0x00"),
        (1, ""),
        (1, None),
    ],
)
def test_a_domain_that_cannot_be_is_refused(chain_id, ledger):
    with pytest.raises(FormatError, match=r"chain id|EIP-55 checksummed"):
        Domain(chain_id, ledger)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("round", -1),
        ("round", 1 << 64),
        ("round", True),
        ("round", 1.0),
        ("node", 1 << 32),
        ("samples", 1 << 32),
        ("samples", -1),
        ("inputs", bytes(31)),
        ("base_model", bytes(33)),
        ("parameters", "0x" + "00" * 32),
        ("parameters", None),
    ],
)
def test_an_Update_that_does_not_fit_its_types_cannot_be_made(field: str, value):
    good: dict[str, Any] = {
        "round": 1,
        "inputs": bytes(32),
        "node": 0,
        "base_model": bytes(32),
        "parameters": bytes(32),
        "samples": 1,
    }
    Update(**good)
    with pytest.raises(FormatError, match=f"Update.{field} = "):
        Update(**{**good, field: value})


def test_other_fields_that_do_not_fit_are_named():
    with pytest.raises(FormatError, match=r"Invitation\.owner"):
        Invitation(story.LEDGER.lower(), 1, bytes(32), 0)
    with pytest.raises(FormatError, match=r"Invitation\.deadline"):
        Invitation(story.LEDGER, 1, bytes(32), 1 << 40)
    with pytest.raises(FormatError, match=r"Request\.path"):
        Request("GET", "/\ud800", bytes(32), bytes(32), 0)
    with pytest.raises(FormatError, match=r"Request\.method"):
        Request(b"GET", "/", bytes(32), bytes(32), 0)  # type: ignore[arg-type] # what is refused


def changed(signature: bytes, at: int, value: int) -> bytes:
    return signature[:at] + value.to_bytes(32 if at < 64 else 1, "big") + signature[at + (32 if at < 64 else 1) :]


class TestSignatures:
    message = Receipt(7, 5, bytes(32))
    signature = message.sign(DOMAIN, SIGNER)

    def test_the_malleable_twin_is_refused(self):
        s, v = int.from_bytes(self.signature[32:64], "big"), self.signature[64]
        twin = changed(changed(self.signature, 32, ORDER - s), 64, 27 + 28 - v)
        with pytest.raises(SignatureError, match="low s"):
            self.message.signer(DOMAIN, twin)

    @pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
    def test_another_v_is_refused(self, v: int):
        with pytest.raises(SignatureError, match="v 27 or 28"):
            self.message.signer(DOMAIN, changed(self.signature, 64, v))

    def test_the_wrong_v_of_the_two_names_somebody_else(self):
        other = changed(self.signature, 64, 27 + 28 - self.signature[64])
        assert self.message.signer(DOMAIN, other) != SIGNER.address

    @pytest.mark.parametrize("length", [0, 64, 66])
    def test_another_length_is_refused(self, length: int):
        with pytest.raises(SignatureError, match=f"65 bytes, not {length}"):
            self.message.signer(DOMAIN, (self.signature + b"\x00")[:length])

    @pytest.mark.parametrize("s", [0, ORDER // 2 + 1, ORDER, (1 << 256) - 1])
    def test_an_s_out_of_range_is_refused(self, s: int):
        with pytest.raises(SignatureError, match="low s"):
            self.message.signer(DOMAIN, changed(self.signature, 32, s))

    # 5 is on no point: x^3 + 7 is not a square modulo p
    @pytest.mark.parametrize("r", [0, 5, ORDER, (1 << 256) - 1])
    def test_an_r_that_is_no_point_is_refused(self, r: int):
        with pytest.raises(SignatureError, match="no key"):
            self.message.signer(DOMAIN, changed(self.signature, 0, r))

    @given(st.integers(0, (1 << 256) - 1), st.integers(1, ORDER // 2), st.sampled_from([27, 28]))
    def test_a_made_up_signature_is_never_that_of_the_signer(self, r, s, v):
        made_up = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
        with contextlib.suppress(SignatureError):
            assert self.message.signer(DOMAIN, made_up) != SIGNER.address
