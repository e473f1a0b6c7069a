"""The store: every method is one transaction, so a kill between any two lines of the caller leaves a round in one phase."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from sqlalchemy import Engine, delete, func, or_, select, update
from sqlalchemy.orm import Session

from aggregator.errors import ForeignDatabase
from aggregator.service.database import WRITES
from aggregator.service.phases import Phase, may_follow
from aggregator.service.records import AttestationRecord, Counts, RoundRecord, UpdateRecord
from aggregator.service.rows import bound_row, roster_row, round_record, update_record, update_row
from aggregator.service.second_updates import keep_second
from aggregator.service.tables import AttestationRow, ExpulsionRow, FederationRow, RosterRow, RoundRow, SecondUpdateRow, UpdateRow
from protocol.inputs import BoundInputs
from protocol.roster import RosterEntry
from protocol.typed_data import Domain


class RoundChanges(TypedDict, total=False):
    """The columns that a transition may set."""

    opened_at: int
    commit_deadline: int
    update_root: bytes
    close_block: int
    reveal_deadline: int
    seed: bytes
    evidence_root: bytes
    model_hash: bytes
    scores: bytes
    accuracy: float
    base_accuracy: float
    evaluation_samples: int
    final_at: int
    reason: str
    settled: bool


class Store:
    """The rounds of one federation, on any engine that `open_database` gives. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{WRITES: True})

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with Session(self._writer) as session, session.begin():
            yield session

    # The federation

    def belong_to(self, domain: Domain) -> None:
        """Make this the database of the federation. Raises `ForeignDatabase` if it is another's."""
        with self._write() as session:
            found = session.scalar(select(FederationRow))
            if found is None:
                session.add(FederationRow(federation=domain.separator, chain_id=domain.chain_id, ledger=domain.ledger))
            elif found.federation != domain.separator:
                raise ForeignDatabase(
                    f"the database holds the rounds of ledger {found.ledger} on chain {found.chain_id}, "
                    f"not of {domain.ledger} on chain {domain.chain_id}: use a database of its own for each federation"
                )

    # Rounds

    def rounds(self) -> tuple[RoundRecord, ...]:
        """All rounds, newest first."""
        with self._read() as session:
            return tuple(round_record(row) for row in session.scalars(select(RoundRow).order_by(RoundRow.number.desc())))

    def round(self, number: int) -> RoundRecord | None:
        """One round."""
        with self._read() as session:
            row = session.get(RoundRow, number)
            return None if row is None else round_record(row)

    def last(self) -> RoundRecord | None:
        """The newest round."""
        with self._read() as session:
            row = session.scalar(select(RoundRow).order_by(RoundRow.number.desc()).limit(1))
            return None if row is None else round_record(row)

    def undecided(self) -> tuple[RoundRecord, ...]:
        """The rounds that are not decided, oldest first; but for a rollback of the chain these are the newest of all."""
        undecided = [phase.value for phase in Phase if not phase.decided]
        query = select(RoundRow).where(RoundRow.phase.in_(undecided)).order_by(RoundRow.number)
        with self._read() as session:
            return tuple(round_record(row) for row in session.scalars(query))

    def unsettled(self) -> tuple[RoundRecord, ...]:
        """Decided rounds whose reservation may still have to be given back, oldest first."""
        decided = [phase.value for phase in Phase if phase.decided]
        query = select(RoundRow).where(RoundRow.phase.in_(decided), RoundRow.settled.is_(False)).order_by(RoundRow.number)
        with self._read() as session:
            return tuple(round_record(row) for row in session.scalars(query))

    def bind(self, number: int, bound: BoundInputs) -> None:
        """Note what a round is about to be opened with; one that was bound and never opened is bound again."""
        with self._write() as session:
            _unbind(session, number)
            session.add(bound_row(number, Phase.OPENING, bound, bound.digest()))

    def opened(self, number: int, opened_at: int, commit_deadline: int, roster: Sequence[RosterEntry]) -> None:
        """From opening to open, with those who may take part."""
        with self._write() as session:
            row = _locked(session, number)
            _move(row, Phase.OPENING, Phase.OPEN, {"opened_at": opened_at, "commit_deadline": commit_deadline})
            # Opened again after a rollback, it has a roster already, and commitments; those of who stays in it still hold.
            nodes = [entry.node for entry in roster]
            for table in (SecondUpdateRow, UpdateRow, RosterRow):
                session.execute(delete(table).where(table.round == number, table.node.not_in(nodes)))
            for entry in roster:
                session.merge(roster_row(number, entry))

    def adopt(
        self,
        number: int,
        phase: Phase,
        bound: BoundInputs,
        inputs: bytes,
        roster: Sequence[RosterEntry],
        **found: Unpack[RoundChanges],
    ) -> None:
        """Write down a round that is on chain but that this database did not open, in place of one that it only bound."""
        with self._write() as session:
            _unbind(session, number)
            row = bound_row(number, phase, bound, inputs)
            _set(row, found)
            session.add(row)
            session.flush()
            session.add_all(roster_row(number, entry) for entry in roster)

    def move(self, number: int, source: Phase, target: Phase, **changes: Unpack[RoundChanges]) -> None:
        """One transition. A round that is not in `source` any more, or `target` not after it, is a fault of the caller."""
        with self._write() as session:
            _move(_locked(session, number), source, target, changes)

    def close_intake(self, number: int, root_of: Callable[[Sequence[UpdateRecord]], bytes]) -> None:
        """From open to closing: from here on no commitment is taken, and the root over those taken is fixed."""
        with self._write() as session:
            row = _locked(session, number)
            updates = [update_record(found) for found in session.scalars(_updates_of(number))]
            _move(row, Phase.OPEN, Phase.CLOSING, {"update_root": root_of(updates)})

    def note(self, number: int, **changes: Unpack[RoundChanges]) -> None:
        """Set columns without a transition."""
        with self._write() as session:
            _set(_locked(session, number), changes)

    # Updates

    def roster(self, number: int) -> tuple[RosterEntry, ...]:
        """Who may take part in the round, by node index."""
        query = select(RosterRow).where(RosterRow.round == number).order_by(RosterRow.node)
        with self._read() as session:
            return tuple(RosterEntry(row.node, row.signer, row.max_samples) for row in session.scalars(query))

    def updates(self, number: int) -> tuple[UpdateRecord, ...]:
        """The round's commitments, by node index."""
        with self._read() as session:
            return tuple(update_record(row) for row in session.scalars(_updates_of(number)))

    def update(self, number: int, node: int) -> UpdateRecord | None:
        """One node's commitment."""
        with self._read() as session:
            row = session.get(UpdateRow, (number, node))
            return None if row is None else update_record(row)

    def counts(self) -> dict[int, Counts]:
        """Commitments and bodies of every round that has any."""
        query = select(UpdateRow.round, func.count(), func.count(UpdateRow.body_hash)).group_by(UpdateRow.round)
        with self._read() as session:
            return {number: Counts(commits, bodies) for number, commits, bodies in session.execute(query)}

    def commit(self, record: UpdateRecord) -> UpdateRecord | None:
        """Keep a commitment; the one that stands, which is an earlier one if there was. None if the round takes no more."""
        with self._write() as session:
            row = _locked(session, record.update.round)
            standing = session.get(UpdateRow, (record.update.round, record.update.node))
            if standing is not None:
                return update_record(standing)
            if row.phase != Phase.OPEN:
                return None
            session.add(update_row(record))
            return record

    def override(self, record: UpdateRecord, root_of: Callable[[Sequence[UpdateRecord]], bytes]) -> None:
        """Put a commitment made on chain in the place of whatever stood there; a root that was fixed already follows."""
        with self._write() as session:
            number = record.update.round
            row = _locked(session, number)
            standing = session.get(UpdateRow, (number, record.update.node))
            if standing is not None and update_record(standing).update != record.update:
                keep_second(session, update_record(standing).update, standing.signature)
            session.merge(update_row(record))
            if row.update_root is not None:
                session.flush()
                row.update_root = root_of([update_record(found) for found in session.scalars(_updates_of(number))])

    def reveal(self, number: int, node: int, salt: bytes, body_hash: bytes) -> bool:
        """Note that a commitment's body is here; False if the round takes no more bodies."""
        with self._write() as session:
            if _locked(session, number).phase != Phase.REVEALING:
                return False
            opened = update(UpdateRow).where(UpdateRow.round == number, UpdateRow.node == node)
            session.execute(opened.values(salt=salt, body_hash=body_hash))
            return True

    # Attestations

    def attestations(self, number: int) -> tuple[AttestationRecord, ...]:
        """The signatures under the round's outcome, ascending by their signers' addresses as the chain orders them."""
        query = select(AttestationRow).where(AttestationRow.round == number)
        with self._read() as session:
            found = [AttestationRecord(row.signer, row.signature) for row in session.scalars(query)]
        return tuple(sorted(found, key=lambda kept: int(kept.signer, 16)))

    def attest(self, number: int, signer: str, signature: bytes) -> None:
        """Keep a scorer's signature; another one by the same scorer takes its place."""
        with self._write() as session:
            session.merge(AttestationRow(round=number, signer=signer, signature=signature))

    # What may be served

    def is_public_model(self, name: bytes) -> bool:
        """Whether some round started from this model, or ended with it in public."""
        public = [Phase.PROPOSED.value, Phase.FINAL.value]
        ended = (RoundRow.model_hash == name) & RoundRow.phase.in_(public)
        with self._read() as session:
            return session.scalar(select(RoundRow.number).where(or_(RoundRow.base_model == name, ended)).limit(1)) is not None

    def had_terms(self, name: bytes) -> bool:
        """Whether some round opened with the config or task of this hash."""
        query = select(RoundRow.number).where(or_(RoundRow.config_hash == name, RoundRow.task_hash == name))
        with self._read() as session:
            return session.scalar(query.limit(1)) is not None


def _unbind(session: Session, number: int) -> None:
    """Drop a round that was bound and is not open, with what it had in a history of the chain that is no more."""
    row = session.get(RoundRow, number)
    if row is not None and row.phase == Phase.OPENING:
        for table in (ExpulsionRow, AttestationRow, SecondUpdateRow, UpdateRow, RosterRow):
            session.execute(delete(table).where(table.round == number))
        session.delete(row)
        session.flush()


def _locked(session: Session, number: int) -> RoundRow:
    # FOR UPDATE where rows can be locked; SQLite's writers queue already.
    return session.scalars(select(RoundRow).where(RoundRow.number == number).with_for_update()).one()


def _move(row: RoundRow, source: Phase, target: Phase, changes: RoundChanges) -> None:
    if row.phase != source or not may_follow(source, target):
        raise RuntimeError(f"round {row.number} is {row.phase}: it cannot go from {source} to {target}")
    row.phase = target
    _set(row, changes)


def _set(row: RoundRow, changes: RoundChanges) -> None:
    for column, value in changes.items():
        setattr(row, column, value)


def _updates_of(number: int) -> Any:
    return select(UpdateRow).where(UpdateRow.round == number).order_by(UpdateRow.node)
