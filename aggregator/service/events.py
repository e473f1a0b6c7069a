"""The event index in our database: the logs, how far they go, and what is asked of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from sqlalchemy import Engine, delete, or_, select, tuple_
from sqlalchemy.orm import Session

from aggregator.service.database import WRITES
from aggregator.service.tables import EventRow, IndexedBlockRow
from ledger.events import Event, Log, arguments_as_json, decode_event
from ledger.records import Announcement, BlockRef
from protocol.api import EventView
from protocol.typed_data import Update

_TOPIC = 32


class Position(NamedTuple):
    """Where a log stands on the chain: its block, and its number in it. As a text: "BLOCK-LOG", empty before the first.

    >>> str(Position.parse("40-1")), str(Position.parse(""))
    ('40-1', '')
    """

    block: int
    log: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text, which has this form."""
        return cls(*map(int, text.split("-"))) if text else cls(-1, -1)

    def __str__(self) -> str:
        return "" if self.block < 0 else f"{self.block}-{self.log}"


_BEGINNING = Position.parse("")


class SqlLogs:
    """A `ledger.event_index.LogRows` on any engine that `open_database` gives."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})

    # What the index asks

    def cursor(self) -> BlockRef | None:
        """The last block whose logs are here; None at the beginning."""
        with Session(self._engine) as session:
            row = session.scalar(select(IndexedBlockRow))
            return None if row is None else BlockRef(row.number, row.hash)

    def blocks(self) -> Iterator[BlockRef]:
        """The blocks that logs are kept of, newest first."""
        query = select(EventRow.block, EventRow.block_hash).distinct().order_by(EventRow.block.desc())
        with Session(self._engine) as session:
            found = session.execute(query).all()
        return (BlockRef(number, block_hash) for number, block_hash in found)

    def extend(self, logs: Sequence[Log], cursor: BlockRef) -> None:
        """Add logs that follow the cursor, and move it on."""
        with Session(self._writer) as session, session.begin():
            session.add_all(map(_row, logs))
            _move(session, cursor)

    def rewind(self, cursor: BlockRef | None) -> None:
        """Drop the logs of all blocks after `cursor`, and move it back; None drops all."""
        with Session(self._writer) as session, session.begin():
            session.execute(delete(EventRow).where(EventRow.block > (-1 if cursor is None else cursor.number)))
            _move(session, cursor)

    # What others ask

    def events(self, after: Position = _BEGINNING, limit: int | None = None, **wanted: str | int | None) -> tuple[Event, ...]:
        """The first events after a position; those only whose columns `name`, `round` and `node` are as wanted."""
        where = [getattr(EventRow, column) == value for column, value in wanted.items() if value is not None]
        query = select(EventRow).where(tuple_(EventRow.block, EventRow.position) > tuple_(*after), *where)
        with Session(self._engine) as session:
            rows = session.scalars(query.order_by(EventRow.block, EventRow.position).limit(limit))
            return tuple(decode_event(_log(row)) for row in rows)

    def commits(self, number: int) -> Iterator[tuple[Update, bytes]]:
        """What nodes committed to on chain in a round: each Update, and the node's signature of it."""
        return (event.committed() for event in self.events(name="UpdateCommitted", round=number))

    def announced(self) -> Announcement | None:
        """The terms that were announced last, None if they were enacted."""
        about = EventRow.name.in_(("TermsAnnounced", "TermsEnacted"))
        query = select(EventRow).where(about).order_by(EventRow.block.desc(), EventRow.position.desc()).limit(1)
        with Session(self._engine) as session:
            row = session.scalar(query)
            return None if row is None or row.name != "TermsAnnounced" else decode_event(_log(row)).announced()

    def latest(self, limit: int) -> tuple[Event, ...]:
        """The last events about a round or a node, newest first."""
        about = or_(EventRow.round.is_not(None), EventRow.node.is_not(None))
        query = select(EventRow).where(about).order_by(EventRow.block.desc(), EventRow.position.desc()).limit(limit)
        with Session(self._engine) as session:
            return tuple(decode_event(_log(row)) for row in session.scalars(query))


def event_view(event: Event) -> EventView:
    """An event as the API gives it."""
    log = event.log
    return EventView(
        block=log.block.number,
        position=log.position,
        block_hash=log.block.hash,
        transaction=log.tx_hash,
        contract=log.address,
        name=event.name,
        arguments=arguments_as_json(event),
    )


def _move(session: Session, cursor: BlockRef | None) -> None:
    session.execute(delete(IndexedBlockRow))
    if cursor is not None:
        session.add(IndexedBlockRow(number=cursor.number, hash=cursor.hash))


def _row(log: Log) -> EventRow:
    event = decode_event(log)
    return EventRow(
        block=log.block.number,
        position=log.position,
        block_hash=log.block.hash,
        tx_hash=log.tx_hash,
        address=log.address,
        topics=b"".join(log.topics),
        data=log.data,
        name=event.name,
        round=event.get("round"),
        node=event.get("node"),
    )


def _log(row: EventRow) -> Log:
    topics = tuple(row.topics[at : at + _TOPIC] for at in range(0, len(row.topics), _TOPIC))
    return Log(BlockRef(row.block, row.block_hash), row.position, row.tx_hash, row.address, topics, row.data)
