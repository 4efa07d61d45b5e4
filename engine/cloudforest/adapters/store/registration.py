"""The registration and its revisions; agents and stored data follow the latest one.

A new revision creates, changes or deletes agent records, and renames or deletes the
data of jobs and targets.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

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

HISTORY_TABLES = (tables.cycle, tables.log)
"""These keep the history of deleted jobs and targets."""
SNAPSHOT_TABLES = (tables.resource, tables.resource_key)
"""Their `target` names a snapshot."""
NAME_COLUMNS: dict[DocumentKind, str] = {"Job": "job", "Target": "target"}
"""The column of the names of each kind; an agent has one row, by its id."""


def read_agents(db: Connection) -> list[AgentRecord]:
    table = tables.agent
    bodies = db.execute(select(table.c.body).order_by(table.c.name)).scalars()
    return [msgspec.json.decode(body, type=AgentRecord) for body in bodies]


def _make_agent_record(known: AgentRecord | None, agent: Agent) -> AgentRecord:
    if known is None:
        return AgentRecord(id=uuid.uuid4().hex, name=agent.name, domains=agent.domains)
    return msgspec.structs.replace(known, domains=agent.domains)


def save_agent(db: Connection, agent: AgentRecord) -> None:
    """Insert or replace by id."""
    table = tables.agent
    db.execute(delete(table).where(table.c.id == agent.id))
    row = {"id": agent.id, "name": agent.name, "body": encode_json(agent)}
    db.execute(insert(table), row)


def _delete_agent(db: Connection, agent: str) -> None:
    """Delete an agent with its unused token, if it has one."""
    db.execute(delete(tables.agent).where(tables.agent.c.id == agent))
    enrolment = tables.enrolment
    db.execute(delete(enrolment).where(enrolment.c.agent == agent))


def rename_agent(db: Connection, rename: Rename) -> None:
    """Rename an agent's record; its id and certificate stay, so it stays enrolled."""
    agent = tables.agent
    body = db.execute(
        select(agent.c.body).where(agent.c.name == rename.before)
    ).scalar()
    if body is None:
        return
    record = msgspec.json.decode(body, type=AgentRecord)
    renamed = msgspec.structs.replace(record, name=rename.after)
    db.execute(
        update(agent)
        .where(agent.c.id == record.id)
        .values(name=rename.after, body=encode_json(renamed))
    )


def sync_agents(db: Connection, registration: Registration) -> None:
    """Save a record for each registered agent, and delete the other records."""
    known = {each.name: each for each in read_agents(db)}
    registered = {each.name: each for each in registration.agents}
    for name in known.keys() - registered.keys():
        _delete_agent(db, known[name].id)
    for name, agent in registered.items():
        save_agent(db, _make_agent_record(known.get(name), agent))


def tables_with(column: str) -> list[Table]:
    """Return the tables that store data by job or by target."""
    return [
        each
        for each in tables.metadata.sorted_tables
        if column in each.c and each not in SNAPSHOT_TABLES
    ]


def delete_by_name(db: Connection, column: str, name: str) -> None:
    for table in tables_with(column):
        if table not in HISTORY_TABLES:
            db.execute(delete(table).where(table.c[column] == name))


def _rename_rows(db: Connection, column: str, rename: Rename) -> None:
    # Nothing is registered under the new name yet, so data under it is left over.
    delete_by_name(db, column, rename.after)
    for table in tables_with(column):
        db.execute(
            update(table)
            .where(table.c[column] == rename.before)
            .values({column: rename.after})
        )


def _reset_for_new_target(db: Connection, job: str) -> None:
    """Make the next cycle evaluate all objects of a job that got another target.

    Its effects were held, given up or discarded in the previous target: delete them.
    """
    source, effect = tables.source, tables.effect
    db.execute(delete(effect).where(effect.c.job == job))
    db.execute(update(source).where(source.c.job == job).values(settled=None))


def apply_renames(
    db: Connection, registered: Registration | None, desired: Registration
) -> None:
    """Delete the data of removed jobs and targets, and move that of renamed ones."""
    if registered is None:
        return
    kept = with_former_names(registered, desired)
    for kind, column in NAME_COLUMNS.items():
        names = {each.name for each in list_stateful_documents(registered)[kind]}
        kept_names = {each.name for each in list_stateful_documents(kept)[kind]}
        for name in names - kept_names:
            delete_by_name(db, column, name)
    for job in kept.jobs:
        before = registered.find_job(job.name)
        if before is not None and before.target != job.target:
            _reset_for_new_target(db, job.name)
    for rename in find_renames(registered, desired):
        if rename.kind == "Agent":
            rename_agent(db, rename)
        else:
            _rename_rows(db, NAME_COLUMNS[rename.kind], rename)


def _read_revision(db: Connection, number: int) -> Revision | None:
    table = tables.registration
    row = db.execute(select(table).where(table.c.revision == number)).first()
    if row is None:
        return None
    return Revision(
        number=row.revision,
        registration=msgspec.json.decode(row.body, type=Registration),
        operator=row.operator,
        time=row.time,
    )


def _read_latest(db: Connection) -> tuple[int, Registration | None]:
    columns = tables.registration.c
    row = db.execute(
        select(columns.revision, columns.body)
        .order_by(columns.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        return 0, None
    return row.revision, msgspec.json.decode(row.body, type=Registration)


def _make_stale_error(db: Connection, latest: int, base: int) -> Stale:
    revision = _read_revision(db, latest)
    by = ""
    if revision:
        time = datetime.fromisoformat(revision.time).astimezone(UTC)
        by = f" (by {revision.operator}, {time:%Y-%m-%d %H:%M} UTC)"
    return Stale(
        f"The plan is based on revision {base}, but the registration is at revision "
        f"{latest}{by}. Plan again."
    )


class SqlRegistrationStore(StorePart):
    """`model.ports.identity.RegistrationStore` on SQLite or PostgreSQL."""

    @transaction
    def load_registration(self, db: Connection) -> tuple[int, Registration | None]:
        return _read_latest(db)

    @transaction
    def load_revision(self, db: Connection, number: int) -> Revision | None:
        return _read_revision(db, number)

    @transaction
    def register(
        self,
        db: Connection,
        registration: Registration,
        *,
        base: int,
        operator: str,
        now: datetime,
        detail: str = "",
    ) -> int:
        latest, registered = _read_latest(db)
        if latest != base:
            raise _make_stale_error(db, latest, base)
        apply_renames(db, registered, registration)
        sync_agents(db, registration)
        row = {
            "revision": base + 1,
            "body": canonical_json(registration),
            "operator": operator,
            "time": now.isoformat(),
        }
        db.execute(insert(tables.registration), row)
        audit = {
            "time": now.isoformat(),
            "operator": operator,
            "action": "apply",
            "detail": f"revision {base + 1}" + (f", {detail}" if detail else ""),
        }
        db.execute(insert(tables.audit), audit)
        return base + 1
