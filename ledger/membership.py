"""For which round a node was expelled, by the events of the registry."""

from ledger.client import LedgerClient
from ledger.events import decode_event, topic_of


def expelled_for(ledger: LedgerClient, node: int) -> int | None:
    """The round whose evidence a node was last expelled for, None if it never was. Reads the registry's events backwards."""
    found = ledger.logs.backwards(ledger.block().number, (topic_of("NodeExpelled"), node.to_bytes(32, "big")))
    return next((int(decode_event(log).get("round")) for log in found), None)
