"""Alembic's entry: runs the migrations on the connection that `database.open_database` gives."""

from alembic import context

from aggregator.service.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
