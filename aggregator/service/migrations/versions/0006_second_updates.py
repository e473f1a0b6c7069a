"""A second, different Update that a node signed for a round: it proves the node's fault."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "second_updates",
        sa.Column("round", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("node", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("inputs", "base_model", "parameters", "signature")),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["round", "node"], ["roster.round", "roster.node"]),
    )
