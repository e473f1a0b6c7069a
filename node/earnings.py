"""What a node earned, read from the chain alone, and claiming it. No torch here: whoever only claims needs none of it."""

from dataclasses import asdict, dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from ledger.client import LedgerClient
from ledger.records import RoundState
from ledger.sender import MemoryJournal, Mined, Sender
from protocol.client import FederationClient
from protocol.errors import ServiceError

CLAIM_ROUNDS = 100
"""Rounds claimed by one transaction: more of them could pass a block's gas limit."""


@dataclass(frozen=True)
class Earnings:
    """Base units of the token, at `block`. `earned` is everything of Final rounds: claimed and claimable together."""

    node: int
    earned: int
    pending: int
    pending_until: int | None
    claimable: int
    claimable_rounds: tuple[int, ...]
    claimed: int
    last_round: int
    block: int

    @property
    def amounts(self) -> dict[str, int]:
        """The four figures by their names in the REST API."""
        return {"earned": self.earned, "pending": self.pending, "claimable": self.claimable, "claimed": self.claimed}

    def to_json(self) -> dict[str, Any]:
        """For --json; amounts as decimal strings."""
        return {**asdict(self), **{name: str(amount) for name, amount in self.amounts.items()}}


def earnings(ledger: LedgerClient, node: int) -> Earnings:
    """Ask the chain for every Final round of the federation, following the parents from the latest to genesis."""
    block, last = ledger.block().number, ledger.last_round()
    claimed, claimable = 0, dict[int, int]()
    number = ledger.latest_final()
    while number > 0:
        reward = ledger.reward(number, node)
        if reward and ledger.claimed(node, number):
            claimed += reward
        elif reward:
            claimable[number] = reward
        number = ledger.round(number).parent
    newest = ledger.round(last)
    waiting = newest.state in (RoundState.PROPOSED, RoundState.DISPUTED)
    return Earnings(
        node=node,
        earned=claimed + sum(claimable.values()),
        pending=ledger.reward(last, node) if waiting else 0,
        pending_until=newest.deadline if waiting else None,
        claimable=sum(claimable.values()),
        claimable_rounds=tuple(sorted(claimable)),
        claimed=claimed,
        last_round=last,
        block=block,
    )


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
    return (
        f"differs, it says {', '.join(differing)} base units: trust the chain, and ask the operator"
        if differing
        else "says the same"
    )


def claim(ledger: LedgerClient, found: Earnings, payer: LocalAccount) -> tuple[Mined, ...]:
    """Claim all that is claimable, to the node's payout address, paid by any account; nothing is sent for nothing.

    Safe to repeat: what was claimed meanwhile is refused by the chain. Raises what the `Sender` raises.
    """
    sender = Sender(ledger.web3, payer, MemoryJournal())
    rounds = found.claimable_rounds
    batches = [rounds[start : start + CLAIM_ROUNDS] for start in range(0, len(rounds), CLAIM_ROUNDS)]
    return tuple(sender.submit(f"claim {found.node} {batch[0]}", ledger.claim(found.node, batch)) for batch in batches)
