"""One suite, two databases: SQLite and PostgreSQL, as the migrations make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.migrate import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/100% state.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    database = Database(url)
    await migrate(database)
    yield database
    database.close()
