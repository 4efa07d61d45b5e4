"""What the parts of the store share: the database, and an upsert for both dialects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, literal, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from cloudforest.adapters.store.engine import Database

Row = dict[str, Any]
IN_LIST = 5000
"""The longest list in one statement."""


class Part:
    """A part of the store; each public method is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
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
    insert = _insert(connection, table)
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
        _insert(connection, table)
        .from_select(["job", "guid"], query)
        .on_conflict_do_nothing()
    )


class _Texts(FunctionElement[str]):
    """The texts of a JSON list, one a row."""

    inherit_cache = True
    name = "texts"


@compiles(_Texts, "sqlite")
def _in_sqlite(texts: _Texts, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_each({compiler.process(texts.clauses, **more)})"


@compiles(_Texts, "postgresql")
def _in_postgresql(texts: _Texts, compiler: SQLCompiler, **more: Any) -> str:
    json = compiler.process(texts.clauses, **more)
    return f"json_array_elements_text(CAST({json} AS json))"


def _listed(values: Sequence[str]) -> Select[str]:
    json = literal(msgspec.json.encode(values).decode())
    return select(_Texts(json).table_valued("value").c.value)


def slices(values: Iterable[str]) -> list[Select[str]]:
    """Cut the distinct values into lists that one statement takes, each one parameter.

    With a parameter for each value, every length is another statement to prepare.
    """
    distinct = list(dict.fromkeys(values))
    return [
        _listed(distinct[at : at + IN_LIST]) for at in range(0, len(distinct), IN_LIST)
    ]
