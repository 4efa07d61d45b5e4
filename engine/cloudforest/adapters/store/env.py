"""Alembic's entry: run the migrations on the connection passed in the config."""

from __future__ import annotations

from alembic import context

from cloudforest.adapters.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
