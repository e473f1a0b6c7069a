"""The invitation file: the operator's signed permission to join, and where the federation's ledger is.

A node takes ledger address and chain id from here, never from the URL that it is about to check.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from protocol.errors import FormatError
from protocol.typed_data import Domain, Invitation


class InvitationFile(BaseModel):
    """The JSON file that `fairshare ledger invite` writes and `fairshare node init` reads. Bytes are 0x-hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    chain_id: int
    ledger: str
    owner: str
    max_samples: int
    nonce: str
    deadline: int
    signature: str

    @property
    def domain(self) -> Domain:
        """The federation that the invitation is for."""
        return Domain(self.chain_id, self.ledger)

    @property
    def invitation(self) -> Invitation:
        """The typed data that the operator signed."""
        return Invitation(self.owner, self.max_samples, bytes.fromhex(self.nonce[2:]), self.deadline)

    @property
    def signature_bytes(self) -> bytes:
        """The operator's 65-byte signature."""
        return bytes.fromhex(self.signature[2:])


def invitation_file(domain: Domain, invitation: Invitation, signature: bytes) -> InvitationFile:
    """Put a signed invitation into its file form."""
    return InvitationFile(
        chain_id=domain.chain_id,
        ledger=domain.ledger,
        owner=invitation.owner,
        max_samples=invitation.max_samples,
        nonce="0x" + invitation.nonce.hex(),
        deadline=invitation.deadline,
        signature="0x" + signature.hex(),
    )


def read_invitation(path: Path) -> InvitationFile:
    """Read an invitation file and check that somebody signed it; whether that is the operator, the ledger knows.

    Raises `FormatError` if it is not one; `FileNotFoundError` if it is not there.
    """
    try:
        found = InvitationFile.model_validate_json(path.read_text())
        found.invitation.signer(found.domain, found.signature_bytes)
    except ValueError as error:
        raise FormatError(
            f"{path} is not an invitation file: ask the operator for the one `fairshare ledger invite` wrote"
        ) from error
    return found
