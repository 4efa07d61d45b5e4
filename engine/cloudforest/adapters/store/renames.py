"""Names that change or go: what is kept under them moves along, or is forgotten."""

from __future__ import annotations

from sqlalchemy import Connection, Table, delete, update

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.agents import rename_agent
from cloudforest.model.registration import Registration
from cloudforest.model.renames import Kind, Rename, nouns, renames, under_former_names

HISTORY = (tables.cycle, tables.log)
"""What happened stays when a job or a target goes."""

PICTURE = (tables.resource, tables.resource_key)
"""Their `target` is a cycle's picture of one."""


COLUMNS: dict[Kind, str] = {"Job": "job", "Target": "target"}
"""The columns that hold names of a kind; an agent has one row, by its id."""


def tables_with(column: str) -> list[Table]:
    """Return the tables that keep something under a job, or under a target."""
    return [
        each
        for each in tables.metadata.sorted_tables
        if column in each.c and each not in PICTURE
    ]


def carry_over(
    connection: Connection, registered: Registration | None, desired: Registration
) -> None:
    """Forget what is kept for the jobs and targets that go; rename the rest.

    In the transaction that registers them: nobody sees one without the other.
    """
    if registered is None:
        return
    kept = under_former_names(registered, desired)
    for kind, column in COLUMNS.items():
        left = {each.name for each in nouns(kept)[kind]}
        for name in {each.name for each in nouns(registered)[kind]} - left:
            forget(connection, column, name)
    for job in kept.jobs:
        before = registered.job(job.name)
        if before is not None and before.target != job.target:
            _leave_target(connection, job.name)
    for rename in renames(registered, desired):
        if rename.kind == "Agent":
            rename_agent(connection, rename)
        else:
            _rename(connection, COLUMNS[rename.kind], rename)


def _leave_target(connection: Connection, job: str) -> None:
    """Have all of a job evaluated again: what needed nothing did so in one target.

    What was held back, given up or discarded there says nothing of another one.
    """
    source, effect = tables.source, tables.effect
    connection.execute(delete(effect).where(effect.c.job == job))
    connection.execute(update(source).where(source.c.job == job).values(settled=None))


def forget(connection: Connection, column: str, name: str) -> None:
    for table in tables_with(column):
        if table not in HISTORY:
            connection.execute(delete(table).where(table.c[column] == name))


def _rename(connection: Connection, column: str, rename: Rename) -> None:
    # Nothing is registered under the new name: what is there is nobody's.
    forget(connection, column, rename.after)
    for table in tables_with(column):
        connection.execute(
            update(table)
            .where(table.c[column] == rename.before)
            .values({column: rename.after})
        )
