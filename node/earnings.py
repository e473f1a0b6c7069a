"""What a node earned, read from the chain alone, and claiming it. No torch here: whoever only claims needs none of it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger.client import LedgerClient
from ledger.records import RoundState
from ledger.rewards import Rewards, rewards_of
from ledger.sender import Mined, Sender
from protocol.client import FederationClient
from protocol.errors import ServiceError

CLAIM_ROUNDS = 100
"""Rounds claimed by one transaction: more of them could pass a block's gas limit."""


@dataclass(frozen=True)
class Earnings:
    """A node's rewards as the chain had them at `block`; what is pending becomes claimable at `pending_until` (unix seconds)."""

    rewards: Rewards
    pending_until: int | None
    block: int

    @property
    def node(self) -> int:
        """The node's index."""
        return self.rewards.node

    @property
    def claimable_rounds(self) -> tuple[int, ...]:
        """The rounds that a claim would mint."""
        return self.rewards.claimable_rounds

    @property
    def amounts(self) -> dict[str, int]:
        """The four figures, in base units, by their names in the REST API."""
        found = self.rewards
        return {"earned": found.earned, "pending": found.pending, "claimable": found.claimable, "claimed": found.claimed}

    def to_json(self) -> dict[str, Any]:
        """For --json; amounts as decimal strings."""
        return {
            "node": self.node,
            **{name: str(amount) for name, amount in self.amounts.items()},
            "pending_until": self.pending_until,
            "claimable_rounds": list(self.claimable_rounds),
            "block": self.block,
        }


class Claimed(NamedTuple):
    """Rounds whose rewards a claim minted, what they are together in base units, and the transactions."""

    rounds: tuple[int, ...]
    amount: int
    mined: tuple[Mined, ...]


def earnings(ledger: LedgerClient, node: int) -> Earnings:
    """Ask the chain for every round of the federation. Raises what the ledger raises."""
    block = ledger.block().number
    newest = ledger.round(ledger.last_round())
    until = newest.deadline if newest.state in (RoundState.PROPOSED, RoundState.DISPUTED) else None
    return Earnings(rewards_of(ledger, node), until, block)


def compare(found: Earnings, federation_url: str) -> str:
    """Whether the aggregator tells the same figures as the chain, in a few words; it being down is one of the answers."""
    try:
        with FederationClient(federation_url) as client:
            told = client.rewards(found.node)
    except ServiceError as error:
        return f"not asked: {error}"
    if told.block != found.block:
        return f"speaks of block {told.block}, the chain is at {found.block}: ask again"
    differing = [f"{name} {getattr(told, name)}" for name, amount in found.amounts.items() if getattr(told, name) != amount]
    if differing:
        return f"differs, it says {', '.join(differing)} base units: trust the chain, and ask the operator"
    return "says the same"


def claim(ledger: LedgerClient, found: Earnings, sender: Sender) -> Claimed:
    """Claim all that is claimable, to the node's payout address, by any account's Sender; nothing is sent for nothing.

    Safe to repeat, after a kill too if the Sender's journal outlives it. Raises what the `Sender` raises.
    """
    rounds = found.claimable_rounds
    batches = [rounds[start : start + CLAIM_ROUNDS] for start in range(0, len(rounds), CLAIM_ROUNDS)]
    mined = [sender.submit(f"claim {found.node} {batch[0]}", ledger.claim(found.node, batch)) for batch in batches]
    # An earlier claim of fewer rounds, sent before a kill, may be the one that was mined.
    done = [one for one in found.rewards.rounds if one.round in rounds and ledger.claimed(found.node, one.round)]
    return Claimed(tuple(one.round for one in done), sum(one.tokens for one in done), tuple(mined))
