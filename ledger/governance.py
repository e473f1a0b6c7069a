"""The terms of a federation, and who may change them: what is in force, what is announced, and the roles.

Terms are announced by the admin, and enacted by anyone after the admin's delay; then they hold for the rounds that open. A later
announcement takes the place of an earlier one, so announcing the terms in force withdraws it. The admin is replaced in two steps
with the same delay; it gives and takes the other roles at once.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3 import Web3

from ledger.artifacts import ContractName
from ledger.calls import call_of
from ledger.client import LedgerClient
from ledger.contracts import contract_at
from ledger.events import decode_event, topic_of
from ledger.governance_errors import BadOfficers
from ledger.records import Announcement, Call, Terms
from ledger.reverts import chain_errors

_TERMS = "(bytes32,bytes32,address,address[])"
_NOBODY = "0x" + "00" * 20
_MOST_SCORERS = 31


class Role(StrEnum):
    """`admin` announces terms and gives the other roles, `operator` signs invitations, `guardian` stops rounds from opening."""

    ADMIN = "admin"
    OPERATOR = "operator"
    GUARDIAN = "guardian"


class Handover(NamedTuple):
    """Who may accept to be the admin, and from when on, in unix seconds."""

    to: str
    due_at: int


class Governance:
    """What the ledger of a federation says. Every method raises `ChainUnavailable` if nobody answers."""

    def __init__(self, ledger: LedgerClient) -> None:
        self._ledger = ledger
        self._contract = contract_at(ledger.web3, ledger.ledger_address, ContractName.LEDGER)
        self._functions = self._contract.functions

    # ------------------------------------------------------------------------------------------------------ the terms

    def in_force(self) -> Terms:
        """What the next round would open with."""
        ledger, following = self._ledger, self._ledger.last_round() + 1
        return Terms(ledger.config_hash(), ledger.task_hash(), ledger.aggregator(following), ledger.scorers(following))

    def announcement(self) -> Announcement | None:
        """What is announced and not enacted; None if there is nothing. Looks for it backwards through the chain's logs."""
        hashed, _ = self._ledger.announced()
        if not any(hashed):
            return None
        logs = self._ledger.logs.backwards(self._ledger.block().number, (topic_of("TermsAnnounced"),))
        found = (decode_event(log).announced() for log in logs)
        return next((announced for announced in found if terms_digest(announced.terms) == hashed), None)

    def check_officers(self, aggregator: str, scorers: Sequence[str]) -> None:
        """Raise `BadOfficers` if the registry would refuse to appoint them, as things stand."""
        if len(scorers) % 3 != 1 or len(scorers) > _MOST_SCORERS:
            raise BadOfficers(f"there would be {len(scorers)} scorers")
        if aggregator == _NOBODY or _NOBODY in scorers:
            raise BadOfficers("nobody has the zero address")
        if len({aggregator, *scorers}) != 1 + len(scorers):
            raise BadOfficers("an account is named twice")
        for scorer in scorers:
            if self._ledger.index_of(scorer) is not None:
                raise BadOfficers(f"{scorer} owns a node, and would judge itself")

    # ------------------------------------------------------------------------------------------------------ the roles

    def admin(self) -> str:
        """The account that is the admin."""
        with chain_errors("read the admin"):
            return str(self._functions.defaultAdmin().call())

    def handover(self) -> Handover | None:
        """To whom the admin is about to hand over; None if to nobody."""
        with chain_errors("read the pending admin"):
            to, due_at = self._functions.pendingDefaultAdmin().call()
        # OpenZeppelin's schedule is the last second at which it is too early.
        return None if to == _NOBODY else Handover(str(to), int(due_at) + 1)

    def has(self, role: Role, account: str) -> bool:
        """Whether an account has a role."""
        with chain_errors(f"read whether {account} is the {role}"):
            return bool(self._functions.hasRole(self._id(role), Web3.to_checksum_address(account)).call())

    def grant(self, role: Role, account: str) -> Call:
        """Give a role at once; of the admin's, begin to hand it over. By the admin."""
        if role is Role.ADMIN:
            function = self._functions.beginDefaultAdminTransfer(Web3.to_checksum_address(account))
            return call_of(self._contract, function, f"begin to hand the admin's role over to {account}")
        function = self._functions.grantRole(self._id(role), Web3.to_checksum_address(account))
        return call_of(self._contract, function, f"make {account} {role}")

    def revoke(self, role: Role, account: str) -> Call:
        """Take a role away at once; of the admin's, take back that it is being handed over. By the admin."""
        if role is Role.ADMIN:
            return call_of(
                self._contract, self._functions.cancelDefaultAdminTransfer(), "take back the handing over of the admin's role"
            )
        function = self._functions.revokeRole(self._id(role), Web3.to_checksum_address(account))
        return call_of(self._contract, function, f"take the {role}'s role from {account}")

    def accept(self) -> Call:
        """Become the admin, after the delay. By the account that it is being handed over to."""
        return call_of(self._contract, self._functions.acceptDefaultAdminTransfer(), "accept the admin's role")

    def _id(self, role: Role) -> bytes:
        return bytes(32) if role is Role.ADMIN else keccak(text=f"{role.upper()}_ROLE")


def terms_digest(terms: Terms) -> bytes:
    """What the ledger keeps of announced terms: keccak256(abi.encode(Terms))."""
    return keccak(encode([_TERMS], [(terms.config_hash, terms.task_hash, terms.aggregator, list(terms.scorers))]))
