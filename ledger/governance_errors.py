"""Why the terms or the roles of a federation cannot be changed as asked; nothing was sent. Apart from `ledger.governance`, which
needs web3.

GovernanceError
├── NotTheAdmin          the key is not the admin's
├── TermsInForce         they would change nothing
├── TermsUnprepared      `fairshare aggregator init` has not checked what is to be announced
├── BadOfficers          the contracts would not appoint this aggregator or these scorers
├── NothingAnnounced     there is nothing to enact
├── NotDueYet            the admin's delay is not over
└── RoleUnchanged        the account has the role already, or never had it
"""

from pathlib import Path

from ledger.errors import LedgerError
from protocol.terminal import when


class GovernanceError(LedgerError):
    """The terms or the roles of a federation cannot be changed so; nothing was sent."""


class NotTheAdmin(GovernanceError):
    """Only the federation's admin may do this."""

    def __init__(self, address: str, admin: str):
        self.address = address
        self.admin = admin
        super().__init__(f"{address} is not the federation's admin, {admin} is: name that account's wallet by --key")


class TermsInForce(GovernanceError):
    """The terms are those in force, and no others are announced."""

    def __init__(self) -> None:
        super().__init__(
            "these are the terms in force, and no others are announced, so nothing would change: edit federation.toml and run "
            "`fairshare aggregator init` on its directory, or name another --aggregator or other --scorer"
        )


class TermsUnprepared(GovernanceError):
    """A config or task that `fairshare aggregator init` has not checked and stored."""

    def __init__(self, directory: Path, reason: str):
        self.directory = directory
        self.reason = reason
        super().__init__(f"{reason}: run `fairshare aggregator init {directory}`, which checks and stores it, then this again")


class BadOfficers(GovernanceError):
    """The contracts would refuse to appoint them when the terms are enacted, after the whole delay."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(
            f"{reason}; name 3f + 1 scorers (1, 4, 7 … 31), each once, none of them the aggregator or the owner of a node"
        )


class NothingAnnounced(GovernanceError):
    """No terms are announced."""

    def __init__(self) -> None:
        super().__init__(
            "no terms are announced, or they were enacted already: see `fairshare ledger terms`, and announce by "
            "`fairshare ledger announce`"
        )


class NotDueYet(GovernanceError):
    """The delay between announcing a change and making it is not over. `due_at` in unix seconds of the chain's clock."""

    def __init__(self, what: str, due_at: int, now: int):
        self.due_at = due_at
        super().__init__(f"{what} not before {when(due_at)}, {due_at - now} s from now; wait until then, and do this again")


class RoleUnchanged(GovernanceError):
    """Who has the role is as it is asked for, or the role is not changed in this way."""
