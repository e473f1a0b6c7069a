"""The outbox: the ledger's Sender keeps its transactions in our database, so that none is lost or signed twice."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from aggregator.service.database import WRITES
from aggregator.service.tables import TransactionRow
from ledger.sender import Entry, Mined


def key_of(step: str, number: int) -> str:
    """The outbox key of a round's transaction, such as "close:3"."""
    return f"{step}:{number}"


class SqlJournal:
    """A Sender's journal on any engine that `open_database` gives."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})

    def find(self, key: str) -> Entry | None:
        """The entry of this key."""
        with Session(self._engine) as session:
            row = session.get(TransactionRow, key)
            return None if row is None else _entry(row)

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""
        with Session(self._engine) as session:
            return session.scalar(select(func.max(TransactionRow.nonce)))

    def since(self, nonce: int) -> Sequence[Entry]:
        """The entries with this nonce or a higher one, lowest first."""
        query = select(TransactionRow).where(TransactionRow.nonce >= nonce).order_by(TransactionRow.nonce)
        with Session(self._engine) as session:
            return [_entry(row) for row in session.scalars(query)]

    def record(self, entry: Entry) -> None:
        """Keep a new entry; it is durable when this returns."""
        with Session(self._writer) as session, session.begin():
            session.add(TransactionRow(key=entry.key, nonce=entry.nonce, raw=entry.raw, tx_hash=entry.tx_hash))

    def mined(self, key: str, mined: Mined) -> None:
        """Note where the entry's transaction ended up and what it used."""
        with Session(self._writer) as session, session.begin():
            row = session.get_one(TransactionRow, key)
            row.block, row.gas_used = mined.block, mined.gas_used

    def gas(self) -> dict[int, int]:
        """The gas that each round's mined transactions used together."""
        used: dict[int, int] = defaultdict(int)
        query = select(TransactionRow.key, TransactionRow.gas_used).where(TransactionRow.gas_used.is_not(None))
        with Session(self._engine) as session:
            for key, gas in session.execute(query):
                used[int(key.rpartition(":")[2])] += gas or 0
        return dict(used)


def _entry(row: TransactionRow) -> Entry:
    return Entry(row.key, row.nonce, row.raw, row.tx_hash)
