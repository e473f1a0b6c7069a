"""Disputes as the Court keeps them."""

from dataclasses import dataclass
from enum import IntEnum

from ledger.artifacts import ContractName
from ledger.client import LedgerClient
from ledger.contracts import contract_at
from ledger.reverts import chain_errors
from protocol.evidence import Kind


class Vote(IntEnum):
    """How far a scorer's vote is, numbered as in `ICourt.Vote`."""

    NONE = 0
    SEALED = 1
    FOR = 2
    AGAINST = 3


class DisputeVerdict(IntEnum):
    """How a dispute ended, numbered as in `ICourt.Verdict`; NONE while it is open."""

    NONE = 0
    UPHELD = 1
    DISMISSED = 2
    UNDECIDED = 3


@dataclass(frozen=True)
class Dispute:
    """A disputed leaf. `filed_at` in unix seconds of the chain's clock; each step lasts the round's vote time."""

    number: int
    round: int
    challenger: str
    filed_at: int
    votes_for: int
    votes_against: int
    verdict: DisputeVerdict
    kind: Kind
    position: int


class Disputes:
    """What the Court of a federation says. Every method raises `ChainUnavailable` if nobody answers."""

    def __init__(self, ledger: LedgerClient) -> None:
        self._functions = contract_at(ledger.web3, ledger.court_address, ContractName.COURT).functions

    def bond(self) -> int:
        """What a dispute costs to file, in wei."""
        with chain_errors("read the dispute bond"):
            return int(self._functions.disputeBond().call())

    def all(self) -> tuple[Dispute, ...]:
        """All disputes, in the order of filing."""
        with chain_errors("count the disputes"):
            count = int(self._functions.disputeCount().call())
        return tuple(self.one(number) for number in range(count))

    def one(self, number: int) -> Dispute:
        """One dispute. Raises `Reverted` (UnknownDispute)."""
        with chain_errors(f"read dispute {number}"):
            found = self._functions.disputeOf(number).call()
        return Dispute(
            number=number,
            round=found.round,
            challenger=found.challenger,
            filed_at=found.filedAt,
            votes_for=found.votesFor,
            votes_against=found.votesAgainst,
            verdict=DisputeVerdict(found.verdict),
            kind=Kind(found.kind),
            position=found.position,
        )

    def vote(self, number: int, scorer: str) -> Vote:
        """How far a scorer's vote in a dispute is."""
        with chain_errors(f"read a vote in dispute {number}"):
            return Vote(self._functions.voteOf(number, scorer).call())
