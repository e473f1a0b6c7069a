"""The event index: the logs of the contracts, and how far they have been read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create both tables, empty: the index begins at the deployment."""
    op.create_table(
        "events",
        sa.Column("block", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("block_hash", "tx_hash", "topics", "data")),
        sa.Column("address", sa.String(42), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("round", "node")),
    )
    for column in ("round", "node"):
        op.create_index(f"ix_events_{column}", "events", [column])
    op.create_table(
        "indexed_block",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )
