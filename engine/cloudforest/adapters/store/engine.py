"""The database: SQLite in the state folder, or PostgreSQL. One worker thread each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from cloudforest.base.errors import Misconfigured, Unavailable

T = TypeVar("T")


class Database:
    """Runs functions in transactions, one at a time, away from the event loop."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; it is rolled back if `work` raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self.run_now, work)

    def run_now(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except OperationalError as error:
            raise Unavailable(
                f"The database {self.engine.url.render_as_string()} does not do its "
                f"work ({error.orig}); see that it runs, and that its disk has room."
            ) from error

    def close(self) -> None:
        self._worker.shutdown()
        self.engine.dispose()


def open_engine(url: str) -> Engine:
    try:
        engine = create_engine(
            url,
            # An error would print the people in it.
            hide_parameters=True,
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise Misconfigured(
            f"That is not the URL of a database ({error}); write sqlite:///PATH or "
            "postgresql+psycopg://HOST/NAME."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transactions start too late; we begin them ourselves, below.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
