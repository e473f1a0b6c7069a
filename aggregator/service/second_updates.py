"""Updates that a node signed for a round beside the one that stands: kept, since whoever sees both can prove the fault."""

from dataclasses import asdict

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from aggregator.mirror.doubles import Signed
from aggregator.service.database import WRITES
from aggregator.service.rows import signed_update
from aggregator.service.tables import SecondUpdateRow
from protocol.typed_data import Update


class SqlSecondUpdates:
    """Those in our database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, signed: Update, signature: bytes) -> None:
        """Keep another Update that the node signed; the first such one of a round is enough. It is durable when this returns."""
        with Session(self._engine.execution_options(**{WRITES: True})) as session, session.begin():
            keep_second(session, signed, signature)

    def of(self, number: int) -> tuple[Signed, ...]:
        """Those of a round, by node index."""
        query = select(SecondUpdateRow).where(SecondUpdateRow.round == number).order_by(SecondUpdateRow.node)
        with Session(self._engine) as session:
            return tuple(Signed(signed_update(row), row.signature) for row in session.scalars(query))


def keep_second(session: Session, signed: Update, signature: bytes) -> None:
    """The same within a transaction."""
    if session.get(SecondUpdateRow, (signed.round, signed.node)) is None:
        session.add(SecondUpdateRow(**asdict(signed), signature=signature))
