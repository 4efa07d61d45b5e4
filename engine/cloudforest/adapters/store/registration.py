"""The registration in the database: every revision is kept, the latest counts.

The agents' records, which begin, change and end with what is registered.

Names that change or go: what is kept under them moves along, or is forgotten.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Table, delete, insert, select, update

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.database import StorePart, encode_json, transaction
from cloudforest.base.errors import Stale
from cloudforest.base.values import canonical_json
from cloudforest.model.identity import AgentRecord
from cloudforest.model.registration import Agent, Registration, Revision
from cloudforest.model.renames import (
    DocumentKind,
    Rename,
    find_renames,
    list_stateful_documents,
    with_former_names,
)


def sync_agents(connection: Connection, registration: Registration) -> None:
    """Give each agent registered a record, and forget those no longer there.

    In the transaction that registers them: no kill comes in between.
    """
    known = {each.name: each for each in read_agents(connection)}
    wanted = {each.name: each for each in registration.agents}
    for name in known.keys() - wanted.keys():
        _delete_agent(connection, known[name].id)
    for name, agent in wanted.items():
        save_agent(connection, _make_agent_record(known.get(name), agent))


def read_agents(connection: Connection) -> list[AgentRecord]:
    table = tables.agent
    bodies = connection.execute(select(table.c.body).order_by(table.c.name)).scalars()
    return [msgspec.json.decode(body, type=AgentRecord) for body in bodies]


def _make_agent_record(known: AgentRecord | None, agent: Agent) -> AgentRecord:
    if known is None:
        return AgentRecord(id=uuid.uuid4().hex, name=agent.name, domains=agent.domains)
    return msgspec.structs.replace(known, domains=agent.domains)


def save_agent(connection: Connection, agent: AgentRecord) -> None:
    """Insert or replace by id."""
    table = tables.agent
    connection.execute(delete(table).where(table.c.id == agent.id))
    row = {"id": agent.id, "name": agent.name, "body": encode_json(agent)}
    connection.execute(insert(table), row)


def _delete_agent(connection: Connection, agent: str) -> None:
    """Forget it with its token, if it has one that is yet to be used."""
    connection.execute(delete(tables.agent).where(tables.agent.c.id == agent))
    enrolment = tables.enrolment
    connection.execute(delete(enrolment).where(enrolment.c.agent == agent))


def rename_agent(connection: Connection, rename: Rename) -> None:
    """Give the record another name: id and certificate stay, so it stays enrolled."""
    agent = tables.agent
    body = connection.execute(
        select(agent.c.body).where(agent.c.name == rename.before)
    ).scalar()
    if body is None:
        return
    record = msgspec.json.decode(body, type=AgentRecord)
    renamed = msgspec.structs.replace(record, name=rename.after)
    connection.execute(
        update(agent)
        .where(agent.c.id == record.id)
        .values(name=rename.after, body=encode_json(renamed))
    )


HISTORY_TABLES = (tables.cycle, tables.log)
"""What happened stays when a job or a target goes."""

SNAPSHOT_TABLES = (tables.resource, tables.resource_key)
"""Their `target` is a cycle's picture of one."""


NAME_COLUMNS: dict[DocumentKind, str] = {"Job": "job", "Target": "target"}
"""The columns that hold names of a kind; an agent has one row, by its id."""


def tables_with(column: str) -> list[Table]:
    """Return the tables that keep something under a job, or under a target."""
    return [
        each
        for each in tables.metadata.sorted_tables
        if column in each.c and each not in SNAPSHOT_TABLES
    ]


def apply_renames(
    connection: Connection, registered: Registration | None, desired: Registration
) -> None:
    """Forget what is kept for the jobs and targets that go; rename the rest.

    In the transaction that registers them: nobody sees one without the other.
    """
    if registered is None:
        return
    kept = with_former_names(registered, desired)
    for kind, column in NAME_COLUMNS.items():
        left = {each.name for each in list_stateful_documents(kept)[kind]}
        for name in {
            each.name for each in list_stateful_documents(registered)[kind]
        } - left:
            delete_by_name(connection, column, name)
    for job in kept.jobs:
        before = registered.find_job(job.name)
        if before is not None and before.target != job.target:
            _reset_for_new_target(connection, job.name)
    for rename in find_renames(registered, desired):
        if rename.kind == "Agent":
            rename_agent(connection, rename)
        else:
            _rename_rows(connection, NAME_COLUMNS[rename.kind], rename)


def _reset_for_new_target(connection: Connection, job: str) -> None:
    """Have all of a job evaluated again: what needed nothing did so in one target.

    What was held back, given up or discarded there says nothing of another one.
    """
    source, effect = tables.source, tables.effect
    connection.execute(delete(effect).where(effect.c.job == job))
    connection.execute(update(source).where(source.c.job == job).values(settled=None))


def delete_by_name(connection: Connection, column: str, name: str) -> None:
    for table in tables_with(column):
        if table not in HISTORY_TABLES:
            connection.execute(delete(table).where(table.c[column] == name))


def _rename_rows(connection: Connection, column: str, rename: Rename) -> None:
    # Nothing is registered under the new name: what is there is nobody's.
    delete_by_name(connection, column, rename.after)
    for table in tables_with(column):
        connection.execute(
            update(table)
            .where(table.c[column] == rename.before)
            .values({column: rename.after})
        )


class SqlRegistrationStore(StorePart):
    """See `model.ports.RegistrationStore`."""

    @transaction
    def load_registration(
        self, connection: Connection
    ) -> tuple[int, Registration | None]:
        return _read_latest(connection)

    @transaction
    def load_revision(self, connection: Connection, number: int) -> Revision | None:
        return _read_revision(connection, number)

    @transaction
    def register(
        self,
        connection: Connection,
        registration: Registration,
        *,
        base: int,
        operator: str,
        now: datetime,
        detail: str = "",
    ) -> int:
        latest, registered = _read_latest(connection)
        if latest != base:
            raise _make_stale_error(connection, latest, base)
        apply_renames(connection, registered, registration)
        sync_agents(connection, registration)
        row = {
            "revision": base + 1,
            "body": canonical_json(registration),
            "operator": operator,
            "time": now.isoformat(),
        }
        connection.execute(insert(tables.registration), row)
        told = f"revision {base + 1}" + (f", {detail}" if detail else "")
        _insert_audit(connection, operator, now, told)
        return base + 1


def _insert_audit(
    connection: Connection, operator: str, now: datetime, detail: str
) -> None:
    row = {
        "time": now.isoformat(),
        "operator": operator,
        "action": "apply",
        "detail": detail,
    }
    connection.execute(insert(tables.audit), row)


def _make_stale_error(connection: Connection, latest: int, base: int) -> Stale:
    found = _read_revision(connection, latest)
    by = f" (by {found.operator}, {found.time})" if found else ""
    return Stale(
        f"The registration is at revision {latest}{by}, the plan was made against"
        f" {base}; plan again."
    )


def _read_revision(connection: Connection, number: int) -> Revision | None:
    table = tables.registration
    row = connection.execute(select(table).where(table.c.revision == number)).first()
    if row is None:
        return None
    return Revision(
        number=row.revision,
        registration=msgspec.json.decode(row.body, type=Registration),
        operator=row.operator,
        time=row.time,
    )


def _read_latest(connection: Connection) -> tuple[int, Registration | None]:
    columns = tables.registration.c
    row = connection.execute(
        select(columns.revision, columns.body)
        .order_by(columns.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        return 0, None
    return row.revision, msgspec.json.decode(row.body, type=Registration)
