"""The index of a federation's events: each block is read once, from the deployment on, and never again unless it was rolled back.

How far it has come is a cursor: a block by number and hash. A cursor that the chain does not have any more tells of a rollback;
then everything after the last block that both still have is dropped, and read anew. Rows and cursor change together or not at
all, so a kill at any point leaves an index that is right, if not complete.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from ledger.client import LedgerClient
from ledger.events import Log
from ledger.records import BlockRef


class LogRows(Protocol):
    """Where logs are kept. Each method is one transaction, durable when it returns."""

    def cursor(self) -> BlockRef | None:
        """The last block whose logs are here; None at the beginning."""

    def blocks(self) -> Iterator[BlockRef]:
        """The blocks that logs are kept of, newest first."""

    def extend(self, logs: Sequence[Log], cursor: BlockRef) -> None:
        """Add logs that follow the cursor, and move it on."""

    def rewind(self, cursor: BlockRef | None) -> None:
        """Drop the logs of all blocks after `cursor`, and move it back; None drops all."""


class EventIndex:
    """Follows the logs of a federation from block `first` on, that of its deployment."""

    def __init__(self, ledger: LedgerClient, rows: LogRows, first: int) -> None:
        self._ledger = ledger
        self._rows = rows
        self._first = first

    def follow(self) -> bool:
        """Take one step towards the latest block: read a range of blocks, or go back after a rollback; False if it is there.

        Raises `ChainUnavailable`, or `ChainRefused` if the node does not give the logs of even one block.
        """
        latest, cursor = self._ledger.block(), self._rows.cursor()
        if cursor == latest:
            return False
        if cursor is not None and not self._ledger.has(cursor):
            self._rows.rewind(self._last_common())
            return True
        first = self._first if cursor is None else cursor.number + 1
        if latest.number < first:
            return False
        found = self._ledger.logs.forwards(first, latest.number)
        through = latest if found.last == latest.number else BlockRef(found.last, self._ledger.block_hash(found.last))
        # All this was read of one history only if its end is still the chain's; otherwise the next step sees which.
        if self._ledger.has(latest):
            self._rows.extend(found.logs, through)
        return True

    def catch_up(self) -> None:
        """Follow until the latest block. Raises what `follow` raises."""
        while self.follow():
            pass

    def _last_common(self) -> BlockRef | None:
        return next((block for block in self._rows.blocks() if self._ledger.has(block)), None)
