"""The outbox: the ledger's Sender keeps its transactions in our database, so that none is lost or signed twice."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Engine, Select, func, select
from sqlalchemy.orm import Session

from aggregator.service.database import WRITES
from aggregator.service.tables import SupersededRow, TransactionRow
from ledger.sender import Entry, Mined


def key_of(step: str, number: int, spent: int = 0) -> str:
    """The outbox key of a round's transaction, such as "close:3"; after so many that were mined and failed, "close/1:3"."""
    return f"{step}/{spent}:{number}" if spent else f"{step}:{number}"


class SqlJournal:
    """A Sender's journal on any engine that `open_database` gives."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})

    def entries(self, key: str) -> Sequence[Entry]:
        """All entries of this key, in the order in which they were recorded."""
        with Session(self._engine) as session:
            row = session.get(TransactionRow, key)
            return () if row is None else (*map(_entry, session.scalars(_superseded(key))), _entry(row))

    def highest_nonce(self) -> int | None:
        """The highest nonce of all entries, None if there are none."""
        with Session(self._engine) as session:
            return session.scalar(select(func.max(TransactionRow.nonce)))

    def since(self, nonce: int) -> Sequence[Entry]:
        """The last entry of each key with this nonce or a higher one, lowest first."""
        query = select(TransactionRow).where(TransactionRow.nonce >= nonce).order_by(TransactionRow.nonce)
        with Session(self._engine) as session:
            return [_entry(row) for row in session.scalars(query)]

    def record(self, entry: Entry) -> None:
        """Keep a new entry beside the key's older ones; it is durable when this returns."""
        with Session(self._writer) as session, session.begin():
            row = session.get(TransactionRow, entry.key)
            if row is None:
                session.add(TransactionRow(**entry._asdict()))
                return
            assert row.nonce == entry.nonce, f"{entry.key} has nonce {row.nonce}: with {entry.nonce} it could happen twice"
            position = len(session.scalars(_superseded(entry.key)).all())
            session.add(SupersededRow(**_entry(row)._asdict(), position=position))
            row.raw, row.tx_hash, row.block, row.gas_used = entry.raw, entry.tx_hash, None, None

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


def _superseded(key: str) -> Select[SupersededRow]:
    return select(SupersededRow).where(SupersededRow.key == key).order_by(SupersededRow.position)


def _entry(row: TransactionRow | SupersededRow) -> Entry:
    return Entry(row.key, row.nonce, row.raw, row.tx_hash)
