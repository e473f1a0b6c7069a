"""Signatures of scorers under the expulsion of nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "expulsions",
        sa.Column("round", sa.BigInteger(), sa.ForeignKey("rounds.number"), primary_key=True, autoincrement=False),
        sa.Column("node", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("signer", sa.String(42), primary_key=True),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
