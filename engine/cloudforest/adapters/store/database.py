"""What the parts of the store share: the database, and an upsert for both dialects.

The database: SQLite in the state folder, or PostgreSQL. One worker thread each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    create_engine,
    event,
    literal,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

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


Row = dict[str, Any]
MAX_IN_LIST = 5000
"""The longest list in one statement."""


class StorePart:
    """A part of the store; each public method is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database


def _dialect_insert(
    connection: Connection, table: Table
) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    *,
    keep: Collection[str] = (),
) -> None:
    """Insert the rows, or replace those with their keys, all but the columns `keep`."""
    if not rows:
        return
    insert = _dialect_insert(connection, table)
    columns = {
        column.name: insert.excluded[column.name]
        for column in table.columns
        if not column.primary_key and column.name not in keep
    }
    keys = [column.name for column in table.primary_key]
    connection.execute(
        insert.on_conflict_do_update(index_elements=keys, set_=columns)
        if columns
        else insert.on_conflict_do_nothing(index_elements=keys),
        list(rows),
    )


def insert_missing(
    connection: Connection, table: Table, job: str, guids: Select[str]
) -> None:
    """Insert (job, guid) for each guid that the query yields, unless it is there."""
    query = select(literal(job), guids.subquery().c[0]).where(true())
    connection.execute(
        _dialect_insert(connection, table)
        .from_select(["job", "guid"], query)
        .on_conflict_do_nothing()
    )


class _JsonTexts(FunctionElement[str]):
    """The texts of a JSON list, one a row."""

    inherit_cache = True
    name = "texts"


@compiles(_JsonTexts, "sqlite")
def _compile_for_sqlite(texts: _JsonTexts, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_each({compiler.process(texts.clauses, **more)})"


@compiles(_JsonTexts, "postgresql")
def _compile_for_postgresql(
    texts: _JsonTexts, compiler: SQLCompiler, **more: Any
) -> str:
    json = compiler.process(texts.clauses, **more)
    return f"json_array_elements_text(CAST({json} AS json))"


def _select_values(values: Sequence[str]) -> Select[str]:
    json = literal(msgspec.json.encode(values).decode())
    return select(_JsonTexts(json).table_valued("value").c.value)


def slice_values(values: Iterable[str]) -> list[Select[str]]:
    """Cut the distinct values into lists that one statement takes, each one parameter.

    With a parameter for each value, every length is another statement to prepare.
    """
    distinct = list(dict.fromkeys(values))
    return [
        _select_values(distinct[at : at + MAX_IN_LIST])
        for at in range(0, len(distinct), MAX_IN_LIST)
    ]
