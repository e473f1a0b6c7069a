"""Attestations of several scorers: a table of their own instead of one column."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create it. A round that has its one attestation already asks for it again, which costs a replay."""
    op.create_table(
        "attestations",
        sa.Column("round", sa.BigInteger(), sa.ForeignKey("rounds.number"), primary_key=True, autoincrement=False),
        sa.Column("signer", sa.String(42), primary_key=True),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    op.execute("UPDATE rounds SET phase = 'attesting' WHERE phase = 'proposing'")
    op.drop_column("rounds", "attestation")
