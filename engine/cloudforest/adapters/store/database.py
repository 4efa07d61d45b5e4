"""Access to the database, which is SQLite or PostgreSQL, for all parts of the store.

One worker thread runs the transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, TypeVarTuple

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    Update,
    create_engine,
    delete,
    event,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from cloudforest.base.errors import Misconfigured, Unavailable

MAX_IN_LIST = 5000
"""The longest list of values in one statement."""

T = TypeVar("T")
Columns = TypeVarTuple("Columns")
P = ParamSpec("P")
Part = TypeVar("Part", bound="StorePart")
Row = dict[str, Any]


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver starts its own transactions too late; `_begin_sqlite` starts them.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(db: Connection) -> None:
    db.exec_driver_sql("BEGIN IMMEDIATE")


def open_engine(url: str) -> Engine:
    try:
        engine = create_engine(
            url,
            # Parameters hold personal data, which errors would print.
            hide_parameters=True,
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise Misconfigured(
            f"Invalid database URL: {error}. Use sqlite:///PATH or "
            "postgresql+psycopg://HOST/NAME."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


class Database:
    """Runs functions in transactions, one at a time, outside the event loop."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, in the worker thread; roll back if it raises.

        Raises Unavailable if the database fails.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self.run_now, work)

    def run_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as `run` does, but in the calling thread."""
        try:
            with self.engine.begin() as db:
                return work(db)
        except OperationalError as error:
            raise Unavailable(
                f"Database error: {str(error.orig).strip().rstrip('.')}. Check that "
                f'"{self.engine.url.render_as_string()}" is running and has free disk '
                "space."
            ) from error

    def close(self) -> None:
        self._worker.shutdown()
        self.engine.dispose()


class StorePart:
    """A part of the store; each public method is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def run(self, work: Callable[[Connection], T]) -> T:
        return await self.database.run(work)


def transaction(
    method: Callable[Concatenate[Part, Connection, P], T],
) -> Callable[Concatenate[Part, P], Coroutine[Any, Any, T]]:
    """Make a method of a store part run in one transaction.

    The method takes the transaction's connection first. It runs in the worker thread
    and is awaited by its caller.
    """

    @wraps(method)
    async def run(self: Part, /, *args: P.args, **options: P.kwargs) -> T:
        return await self.run(lambda db: method(self, db, *args, **options))

    return run


encode_json = msgspec.json.Encoder().encode


def time_text(time: datetime) -> str:
    """Return a UTC text that sorts in the order of time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def dialect_insert(db: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if db.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def upsert(
    db: Connection, table: Table, rows: Sequence[Row], *, keep: Collection[str] = ()
) -> None:
    """Insert the rows, or update those with the same keys except the columns `keep`."""
    if not rows:
        return
    statement = dialect_insert(db, table)
    columns = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key and column.name not in keep
    }
    statement = (
        statement.on_conflict_do_update(index_elements=table.primary_key, set_=columns)
        if columns
        else statement.on_conflict_do_nothing(index_elements=table.primary_key)
    )
    db.execute(statement, rows)


def insert_rows(db: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        db.execute(insert(table), rows)


class _JsonTexts(FunctionElement[str]):
    """The texts of a JSON list, one per row."""

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


def slice_values(values: Iterable[str]) -> list[Select[str]]:
    """Cut the distinct values into lists that fit in one statement.

    Each list is one parameter: with one parameter per value, every length of a list
    would be another statement to prepare.
    """
    distinct = list(dict.fromkeys(values))
    slices = (
        distinct[i : i + MAX_IN_LIST] for i in range(0, len(distinct), MAX_IN_LIST)
    )
    lists = (_JsonTexts(literal(encode_json(each).decode())) for each in slices)
    return [select(each.table_valued("value").c.value) for each in lists]


def read_batches(
    db: Connection,
    query: Select[*Columns],
    column: ColumnElement[str],
    values: Iterable[str],
) -> Iterator[tuple[*Columns]]:
    """Yield the rows of the query whose `column` has one of the values."""
    for batch in slice_values(values):
        yield from db.execute(query.where(column.in_(batch)))


def update_batches(
    db: Connection, statement: Update, column: ColumnElement[str], values: Iterable[str]
) -> None:
    """Update the rows whose `column` has one of the values."""
    for batch in slice_values(values):
        db.execute(statement.where(column.in_(batch)))


def delete_batches(
    db: Connection, column: Column[str], values: Iterable[str], **where: str
) -> None:
    """Delete the rows whose `column` has one of the values; the others are fixed."""
    table = column.table
    for batch in slice_values(values):
        fixed = (table.c[name] == value for name, value in where.items())
        db.execute(delete(table).where(*fixed, column.in_(batch)))
