"""The tables. Hashes and signatures are raw bytes, rounds and times 64-bit integers, nothing is a float but reported accuracy.

Changing a table needs a migration in `migrations/versions`; a test compares both.
"""

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Integer, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {int: BigInteger, bytes: LargeBinary}  # noqa: RUF012 since SQLAlchemy reads it as it is


class FederationRow(Base):
    """The one federation that this database belongs to."""

    __tablename__ = "federation"

    federation: Mapped[bytes] = mapped_column(primary_key=True)
    chain_id: Mapped[int]
    ledger: Mapped[str] = mapped_column(String(42))


class RoundRow(Base):
    """A round and its phase, see `phases.Phase`."""

    __tablename__ = "rounds"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    phase: Mapped[str] = mapped_column(String(16), index=True)
    parent: Mapped[int]
    config_hash: Mapped[bytes]
    task_hash: Mapped[bytes]
    base_model: Mapped[bytes] = mapped_column(index=True)  # which models may be served
    parent_evidence: Mapped[bytes]
    shards: Mapped[bytes]  # the shards' hashes, one after the other
    root_set: Mapped[bytes]
    inputs: Mapped[bytes]
    opened_at: Mapped[int | None]
    commit_deadline: Mapped[int | None]
    update_root: Mapped[bytes | None]
    close_block: Mapped[int | None]
    reveal_deadline: Mapped[int | None]
    seed: Mapped[bytes | None]
    evidence_root: Mapped[bytes | None]
    model_hash: Mapped[bytes | None] = mapped_column(index=True)  # which models may be served
    scores: Mapped[bytes | None]
    accuracy: Mapped[float | None]
    base_accuracy: Mapped[float | None]
    evaluation_samples: Mapped[int | None]
    final_at: Mapped[int | None]
    reason: Mapped[str | None]
    settled: Mapped[bool] = mapped_column(default=False, index=True)  # what is still to be released


class RosterRow(Base):
    """Who may take part in a round, as the registry said when it opened."""

    __tablename__ = "roster"

    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), primary_key=True, autoincrement=False)
    node: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    signer: Mapped[str] = mapped_column(String(42))
    max_samples: Mapped[int]


class _SignedColumns:
    """An Update, and its node's signature under it."""

    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    inputs: Mapped[bytes]
    base_model: Mapped[bytes]
    parameters: Mapped[bytes]
    samples: Mapped[int]
    signature: Mapped[bytes]


class UpdateRow(_SignedColumns, Base):
    """A commitment, its receipt, and what opens it. The primary key is what makes a second Update impossible."""

    __tablename__ = "updates"
    __table_args__ = (ForeignKeyConstraint(["round", "node"], ["roster.round", "roster.node"]),)

    leaf: Mapped[bytes]
    receipt: Mapped[bytes]
    salt: Mapped[bytes | None]
    body_hash: Mapped[bytes | None]


class SecondUpdateRow(_SignedColumns, Base):
    """Another Update that a node signed for a round in which one stands, or stood until the chain overrode it."""

    __tablename__ = "second_updates"
    __table_args__ = (ForeignKeyConstraint(["round", "node"], ["roster.round", "roster.node"]),)


class AttestationRow(Base):
    """A scorer's signature under the round's claimed outcome."""

    __tablename__ = "attestations"

    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), primary_key=True, autoincrement=False)
    signer: Mapped[str] = mapped_column(String(42), primary_key=True)
    signature: Mapped[bytes]


class ExpulsionRow(Base):
    """A scorer's signature under the expulsion of a node for a Final round."""

    __tablename__ = "expulsions"

    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), primary_key=True, autoincrement=False)
    node: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    signer: Mapped[str] = mapped_column(String(42), primary_key=True)
    signature: Mapped[bytes]


class TransactionRow(Base):
    """The outbox: a chain transaction, written before it is sent. `block` and `gas_used` are set once it is mined."""

    __tablename__ = "transactions"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    nonce: Mapped[int] = mapped_column(unique=True)
    raw: Mapped[bytes]
    tx_hash: Mapped[bytes]
    block: Mapped[int | None]
    gas_used: Mapped[int | None]


class SupersededRow(Base):
    """An earlier transaction of an outbox key, with the same nonce: a dearer or another one took its place before it was mined,
    but it may still be the one that is. `position` counts from 0 as they were signed.
    """

    __tablename__ = "superseded"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    nonce: Mapped[int]
    raw: Mapped[bytes]
    tx_hash: Mapped[bytes]


class SeenBlockRow(Base):
    """The latest block that the rounds agree with; one row. Another hash at that height tells of a rollback."""

    __tablename__ = "seen_block"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class EventRow(Base):
    """A log of the federation's contracts, as the chain has it. What may be asked for stands in columns of its own."""

    __tablename__ = "events"

    block: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # in the block
    block_hash: Mapped[bytes]
    tx_hash: Mapped[bytes]
    address: Mapped[str] = mapped_column(String(42))
    topics: Mapped[bytes]  # one after the other
    data: Mapped[bytes]
    name: Mapped[str] = mapped_column(String(40))
    round: Mapped[int | None] = mapped_column(index=True)
    node: Mapped[int | None] = mapped_column(index=True)


class IndexedBlockRow(Base):
    """The cursor of the event index: all logs up to this block are in `events`; one row, none at the beginning."""

    __tablename__ = "indexed_block"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes]
