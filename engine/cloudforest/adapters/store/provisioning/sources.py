"""Source rows: the objects of a job as last imported."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, or_, select, update

from cloudforest.adapters.store.provisioning.memberships import (
    is_held,
    is_linked,
    is_named,
    save_members,
)
from cloudforest.adapters.store.provisioning.part import Part, Row, slices, upsert
from cloudforest.adapters.store.tables import link, source
from cloudforest.model.messages import (
    Gone,
    InScope,
    Members,
    Moved,
    OutOfScope,
    Record,
    ScopeMembers,
    Unknown,
)
from cloudforest.model.provisioning import SourceRow

COLUMNS = (
    source.c.guid,
    source.c.type,
    source.c.dn,
    source.c.parent,
    source.c.anchor,
    source.c.attributes,
    source.c.state,
    source.c.seen,
)


def read_row(row: RowMapping) -> SourceRow:
    return SourceRow(
        id=row["guid"],
        type=row["type"],
        dn=row["dn"],
        parent=row["parent"],
        anchor=row["anchor"],
        attributes={name: tuple(values) for name, values in row["attributes"].items()},
        state=row["state"],
        seen=tuple(row["seen"]),
    )


def write_row(job: str, generation: int, record: InScope) -> Row:
    return {
        "job": job,
        "guid": record.id,
        "type": record.type,
        "dn": record.dn,
        "parent": record.parent,
        "anchor": record.anchor,
        "generation": generation,
        "state": "in",
        "seen": record.seen,
        "attributes": record.attributes,
    }


def save_records(
    connection: Connection, job: str, generation: int, records: Sequence[Record]
) -> None:
    """Store records; what a page says last about an object holds."""
    held: dict[str, InScope | None] = {}
    members: dict[tuple[str, str], bool] = {}
    for record in records:
        match record:
            case InScope():
                held[record.id] = record
            case OutOfScope() | Gone():
                held[record.id] = None
            case Members():
                members.update({(record.id, each): True for each in record.add})
                members.update({(record.id, each): False for each in record.remove})
            case Unknown() | ScopeMembers() | Moved():
                pass
    rows = [write_row(job, generation, each) for each in held.values() if each]
    upsert(connection, source, rows)
    for ids in slices(id_ for id_, record in held.items() if record is None):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(ids))
            .values(state="out", generation=generation)
        )
    save_members(connection, job, generation, members)


class Sources(Part):
    async def sources(
        self, job: str, target: str, after: str, limit: int
    ) -> list[SourceRow]:
        counts = or_(is_named(job), is_linked(target, source.c.guid))
        query = (
            select(*COLUMNS)
            .where(source.c.job == job, source.c.guid > after)
            .where(is_held(), counts)
            .order_by(source.c.guid)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [
                read_row(row) for row in connection.execute(query).mappings()
            ]
        )

    async def source(self, job: str, id: str) -> SourceRow | None:  # noqa: A002 - the port's word
        query = (
            select(*COLUMNS)
            .where(source.c.job == job, source.c.guid == id)
            .where(is_held())
        )

        def work(connection: Connection) -> SourceRow | None:
            row = connection.execute(query).mappings().first()
            return read_row(row) if row else None

        return await self.database.run(work)

    async def known(self, job: str, target: str, ids: Sequence[str]) -> frozenset[str]:
        def work(connection: Connection) -> frozenset[str]:
            found: set[str] = set()
            for some in slices(ids):
                in_scope = select(source.c.guid).where(
                    source.c.job == job,
                    source.c.guid.in_(some),
                    is_held(),
                    is_named(job),
                )
                linked = select(link.c.guid).where(
                    link.c.target == target, link.c.guid.in_(some)
                )
                found.update(connection.execute(in_scope.union(linked)).scalars())
            return frozenset(found)

        return await self.database.run(work)
