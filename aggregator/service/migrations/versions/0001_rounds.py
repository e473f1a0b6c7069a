"""The first tables: federation, rounds, roster, updates, transactions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "federation",
        sa.Column("federation", sa.LargeBinary(), primary_key=True),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("ledger", sa.String(42), nullable=False),
    )
    op.create_table(
        "rounds",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.LargeBinary(), nullable=False)
            for name in ("config_hash", "task_hash", "base_model", "parent_evidence", "shards", "root_set", "inputs")
        ),
        sa.Column("opened_at", sa.BigInteger()),
        sa.Column("commit_deadline", sa.BigInteger()),
        sa.Column("update_root", sa.LargeBinary()),
        sa.Column("close_block", sa.BigInteger()),
        sa.Column("reveal_deadline", sa.BigInteger()),
        *(sa.Column(name, sa.LargeBinary()) for name in ("seed", "evidence_root", "model_hash", "scores", "attestation")),
        sa.Column("accuracy", sa.Double()),
        sa.Column("base_accuracy", sa.Double()),
        sa.Column("evaluation_samples", sa.BigInteger()),
        sa.Column("final_at", sa.BigInteger()),
        sa.Column("reason", sa.String()),
        sa.Column("settled", sa.Boolean(), nullable=False),
    )
    for column in ("phase", "base_model", "model_hash", "settled"):
        op.create_index(f"ix_rounds_{column}", "rounds", [column])
    op.create_table(
        "roster",
        sa.Column("round", sa.BigInteger(), sa.ForeignKey("rounds.number"), primary_key=True, autoincrement=False),
        sa.Column("node", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("signer", sa.String(42), nullable=False),
        sa.Column("max_samples", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "updates",
        sa.Column("round", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("node", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("inputs", "base_model", "parameters")),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("signature", "leaf", "receipt")),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("body_hash", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["round", "node"], ["roster.round", "roster.node"]),
    )
    op.create_table(
        "transactions",
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("nonce", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block", sa.BigInteger()),
        sa.Column("gas_used", sa.BigInteger()),
    )
