"""The registration and its revisions; agents and stored data follow the latest one.

A new revision creates, changes or deletes agent records, and renames or deletes the
data of jobs and targets.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Table, delete, insert, select, update

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.database import StorePart, encode_json, transaction
from cloudforest.base.errors import Stale
from cloudforest.base.values import canonical_json
from cloudforest.model.identity import AgentRecord
from cloudforest.model.registration import Registration, Revision
from cloudforest.model.renames import (
    DocumentKind,
    Rename,
    find_renames,
    list_names,
    with_former_names,
)

HISTORY_TABLES = (tables.cycle, tables.log)
"""These keep the history of deleted jobs and targets."""
SNAPSHOT_TABLES = (tables.resource, tables.resource_key)
"""Their `target` names a snapshot."""
decode_agent = msgspec.json.Decoder(AgentRecord).decode
NAME_COLUMNS: dict[DocumentKind, str] = {"Job": "job", "Target": "target"}
"""The column of the names of each kind; an agent has one row, by its id."""


def read_agents(db: Connection) -> list[AgentRecord]:
    table = tables.agent
    bodies = db.scalars(select(table.c.body).order_by(table.c.name))
    return [decode_agent(body) for body in bodies]


def save_agent(db: Connection, agent: AgentRecord) -> None:
    """Insert or replace by id."""
    table = tables.agent
    db.execute(delete(table).where(table.c.id == agent.id))
    row = {"id": agent.id, "name": agent.name, "body": encode_json(agent)}
    db.execute(insert(table), row)


def _rename_agent(db: Connection, rename: Rename) -> None:
    """Rename an agent's record; its id and certificate stay, so it stays enrolled."""
    row = tables.agent.c
    body = db.scalar(select(row.body).where(row.name == rename.before))
    if body is not None:
        save_agent(db, replace(decode_agent(body), name=rename.after))


def _sync_agents(db: Connection, registration: Registration) -> None:
    """Save a record for each registered agent; delete the others and their tokens."""
    known = {each.name: each for each in read_agents(db)}
    registered = {each.name: each.domains for each in registration.agents}
    for name in known.keys() - registered.keys():
        for id_ in (tables.agent.c.id, tables.enrolment.c.agent):
            db.execute(delete(id_.table).where(id_ == known[name].id))
    for name, domains in registered.items():
        new = AgentRecord(id=uuid.uuid4().hex, name=name, domains=domains)
        save_agent(db, replace(known.get(name, new), domains=domains))


def tables_with(column: str) -> list[Table]:
    """Return the tables that store data by job or by target."""
    return [
        each
        for each in tables.metadata.sorted_tables
        if column in each.c and each not in SNAPSHOT_TABLES
    ]


def _delete_by_name(db: Connection, column: str, name: str) -> None:
    for table in tables_with(column):
        if table not in HISTORY_TABLES:
            db.execute(delete(table).where(table.c[column] == name))


def _rename_rows(db: Connection, column: str, rename: Rename) -> None:
    # Nothing is registered under the new name yet, so data under it is left over.
    _delete_by_name(db, column, rename.after)
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


def _apply_renames(
    db: Connection, registered: Registration | None, desired: Registration
) -> None:
    """Delete the data of removed jobs and targets, and move that of renamed ones."""
    if registered is None:
        return
    kept = with_former_names(registered, desired)
    for kind, column in NAME_COLUMNS.items():
        for name in list_names(registered)[kind] - list_names(kept)[kind]:
            _delete_by_name(db, column, name)
    for job in kept.jobs:
        before = registered.find_job(job.name)
        if before is not None and before.target != job.target:
            _reset_for_new_target(db, job.name)
    for rename in find_renames(registered, desired):
        if rename.kind == "Agent":
            _rename_agent(db, rename)
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
    query = select(columns.revision, columns.body).order_by(columns.revision.desc())
    row = db.execute(query.limit(1)).first()
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
        _apply_renames(db, registered, registration)
        _sync_agents(db, registration)
        by = {"operator": operator, "time": now.isoformat()}
        row = {**by, "revision": base + 1, "body": canonical_json(registration)}
        db.execute(insert(tables.registration), row)
        detail = f"revision {base + 1}" + (f", {detail}" if detail else "")
        audit = {**by, "action": "apply", "detail": detail}
        db.execute(insert(tables.audit), audit)
        return base + 1
