"""Source rows: the objects of a job as last imported."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, select

from cloudforest.adapters.store.provisioning.part import Part, slices
from cloudforest.adapters.store.provisioning.presence import is_looked_at
from cloudforest.adapters.store.provisioning.sources.doubting import is_unknown
from cloudforest.adapters.store.tables import link, source
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
    source.c.doubted,
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
        doubted=tuple((row["doubted"] or "").split()),
    )


class Sources(Part):
    async def sources(
        self,
        job: str,
        target: str,
        after: str,
        limit: int,
        *,
        settled: str | None = None,
    ) -> list[SourceRow]:
        counts = is_looked_at(target)
        if settled is not None:
            counts &= source.c.settled.is_distinct_from(settled)
        query = (
            select(*COLUMNS)
            .where(source.c.job == job, source.c.guid > after, counts)
            .order_by(source.c.guid)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: [
                read_row(row) for row in connection.execute(query).mappings()
            ]
        )

    async def source(self, job: str, id: str) -> SourceRow | None:  # noqa: A002 - the port's word
        query = select(*COLUMNS).where(source.c.job == job, source.c.guid == id)

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
                    source.c.state == "in",
                )
                linked = select(link.c.guid).where(
                    link.c.target == target, link.c.guid.in_(some)
                )
                found.update(connection.execute(in_scope.union(linked)).scalars())
            return frozenset(found)

        return await self.database.run(work)

    async def unknown_objects(
        self, job: str, limit: int
    ) -> tuple[int, tuple[str, ...]]:
        unknown = (source.c.job == job, is_unknown())
        first = select(source.c.guid).where(*unknown).order_by(source.c.guid)

        def work(connection: Connection) -> tuple[int, tuple[str, ...]]:
            count = select(func.count()).select_from(source).where(*unknown)
            return (
                connection.execute(count).scalar_one(),
                tuple(connection.execute(first.limit(limit)).scalars()),
            )

        return await self.database.run(work)
