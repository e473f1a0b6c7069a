"""The six messages that are signed, as EIP-712 typed data.

Source: EIP-712 (https://eips.ethereum.org/EIPS/eip-712); signatures are 65 bytes r ‖ s ‖ v with v in {27, 28} and low s (EIP-2).
The domain is (name "fairshare", version "1", chain id, RoundLedger address); its separator is the one identity of a
federation: a signature, tree leaf or commitment made for one federation or chain means nothing in another.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, ClassVar, get_type_hints

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from protocol.abi import check_value
from protocol.errors import SignatureError

Uint32 = Annotated[int, "uint32"]
Uint40 = Annotated[int, "uint40"]
Uint64 = Annotated[int, "uint64"]
Bytes32 = Annotated[bytes, "bytes32"]
Address = Annotated[str, "address"]
String = Annotated[str, "string"]

# Half the order of secp256k1: EIP-2 admits only the lower of the two valid s, as OpenZeppelin's ECDSA does on chain.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True)
class Domain:
    """The federation that a signature is for: chain id and RoundLedger address (EIP-55 checksummed)."""

    chain_id: int
    ledger: str

    def __post_init__(self) -> None:
        check_value("chain id", "uint256", self.chain_id)
        check_value("ledger address (EIP-55 checksummed)", "address", self.ledger)

    @cached_property
    def separator(self) -> bytes:
        """The 32-byte EIP-712 domain separator, called `federation` everywhere."""
        return bytes(Request("", "", bytes(32), bytes(32), 0).signable(self).header)


@dataclass(frozen=True)
class TypedMessage:
    """A message with an EIP-712 type. Field annotations carry the Solidity type; names are camel-cased on the wire."""

    primary_type: ClassVar[str]

    @classmethod
    def solidity_fields(cls) -> tuple[tuple[str, str, str], ...]:
        """(Python name, wire name, Solidity type) of every field in declared order."""
        hints = get_type_hints(cls, include_extras=True)
        return tuple((f.name, _camel(f.name), hints[f.name].__metadata__[0]) for f in fields(cls))

    def __post_init__(self) -> None:
        # eth-account coerces silently (negative integers, short bytes), so every field is checked before it is signed.
        for name, _, solidity_type in self.solidity_fields():
            check_value(f"{type(self).__name__}.{name}", solidity_type, getattr(self, name))

    def signable(self, domain: Domain) -> SignableMessage:
        """The EIP-712 encoding under `domain`."""
        described = self.solidity_fields()
        return encode_typed_data(
            {"name": "fairshare", "version": "1", "chainId": domain.chain_id, "verifyingContract": domain.ledger},
            {self.primary_type: [{"name": wire, "type": kind} for _, wire, kind in described]},
            {wire: getattr(self, name) for name, wire, _ in described},
        )

    def digest(self, domain: Domain) -> bytes:
        """The 32 bytes that are signed: keccak256(0x19 0x01 ‖ domain separator ‖ hashStruct(message))."""
        message = self.signable(domain)
        return keccak(b"\x19" + message.version + message.header + message.body)

    def sign(self, domain: Domain, account: LocalAccount) -> bytes:
        """Sign with a plain key; 65 bytes r ‖ s ‖ v."""
        return bytes(account.sign_message(self.signable(domain)).signature)

    def signer(self, domain: Domain, signature: bytes) -> str:
        """The checksummed address whose key made `signature`.

        Raises `SignatureError` for anything but a 65-byte, low-s signature with v 27 or 28.
        """
        if len(signature) != 65:
            raise SignatureError(f"a signature has 65 bytes, not {len(signature)}")
        if not 0 < int.from_bytes(signature[32:64]) <= _HALF_ORDER or signature[64] not in (27, 28):
            raise SignatureError("the signature is not in the canonical form (low s, v 27 or 28)")
        try:
            return str(Account.recover_message(self.signable(domain), signature=signature))
        except Exception as error:  # eth-keys raises several unrelated types for points that are not on the curve
            raise SignatureError(f"no key can have made this signature: {error}") from error


@dataclass(frozen=True)
class Update(TypedMessage):
    """A node's commitment to one update for one round; a node signs one per round."""

    primary_type = "Update"

    round: Uint64
    inputs: Bytes32  # what the round was opened with, see protocol.inputs
    node: Uint32
    base_model: Bytes32
    parameters: Bytes32  # salted commitment to the body, see protocol.update
    samples: Uint32


@dataclass(frozen=True)
class Receipt(TypedMessage):
    """The aggregator's signed word that it holds a commitment and will put `leaf` into the update tree."""

    primary_type = "Receipt"

    round: Uint64
    node: Uint32
    leaf: Bytes32


@dataclass(frozen=True)
class Attestation(TypedMessage):
    """A scorer's signed word that it replayed the round and got these results."""

    primary_type = "Attestation"

    round: Uint64
    seed: Bytes32
    evidence_root: Bytes32
    scores_hash: Bytes32
    model_hash: Bytes32


@dataclass(frozen=True)
class Request(TypedMessage):
    """An HTTP request signed by a member, for what only members may see."""

    primary_type = "Request"

    method: String
    path: String
    body_hash: Bytes32
    nonce: Bytes32
    deadline: Uint40


@dataclass(frozen=True)
class Invitation(TypedMessage):
    """The operator's permission for `owner` to join once with at most `max_samples` samples a round."""

    primary_type = "Invitation"

    owner: Address
    max_samples: Uint32
    nonce: Bytes32
    deadline: Uint40


@dataclass(frozen=True)
class Expulsion(TypedMessage):
    """A scorer's signed word that a node's reputation passed the expulsion threshold in a Final round."""

    primary_type = "Expulsion"

    round: Uint64
    node: Uint32


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
