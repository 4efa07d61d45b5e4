"""Brings a database up to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from cloudforest.adapters.store.engine import Database


def _upgrade(connection: Connection) -> None:
    config = Config()
    # Alembic reads % as the start of a variable.
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(database: Database) -> None:
    """Upgrade in one transaction; nothing happens when it is up to date."""
    await database.run(_upgrade)
