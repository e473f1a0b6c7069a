"""When a node came, and for which round it was expelled: read from the registry's events, backwards from the latest block."""

from ledger.client import LedgerClient
from ledger.events import decode_event, topic_of


def joined_with(ledger: LedgerClient, node: int) -> int:
    """The first round of a node's present or last membership; 0 if it never joined."""
    return _last(ledger, "NodeJoined", node, "fromRound") or 0


def expelled_for(ledger: LedgerClient, node: int) -> int | None:
    """The round whose evidence a node was last expelled for, None if it never was."""
    return _last(ledger, "NodeExpelled", node, "round")


def _last(ledger: LedgerClient, event: str, node: int, argument: str) -> int | None:
    found = ledger.logs.backwards(ledger.block().number, (topic_of(event), node.to_bytes(32, "big")))
    return next((int(decode_event(log).get(argument)) for log in found), None)
