"""Upgrade a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from cloudforest.adapters.store.database import Database


def _upgrade(connection: Connection) -> None:
    config = Config()
    # Alembic reads % as the start of a variable.
    folder = str(Path(__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("version_locations", f"{folder}/migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(database: Database) -> None:
    """Upgrade in one transaction; do nothing if the schema is up to date."""
    await database.run(_upgrade)
