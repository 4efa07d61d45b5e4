"""Evaluations: which rows must be looked at, and what was found to be needed.

What the target was found to hold, in place of what was written there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, case, delete, func, select, update

from cloudforest.adapters.store.database import IN_LIST, Part, slices, upsert
from cloudforest.adapters.store.imports import forget
from cloudforest.adapters.store.links import forget_links, save_links
from cloudforest.adapters.store.memberships import forget_written
from cloudforest.adapters.store.outbox import rows_of
from cloudforest.adapters.store.sources import (
    is_looked_at,
    is_present,
    referrers,
    unsettle,
)
from cloudforest.adapters.store.tables import effect, reference, source
from cloudforest.model.effects import EvaluatedRows
from cloudforest.model.source import Link


def _unsettle_referrers(connection: Connection, job: str, digest: str) -> None:
    """Unsettle the rows that refer to one that is not settled: new, changed, gone.

    Asked for one by one, since there are few; one statement would join all references.
    After a change of the mapping there are many, but nobody left to unsettle.
    """
    settled = select(source.c.guid).where(
        source.c.job == job, source.c.settled == digest
    )
    if connection.scalar(settled.limit(1)) is None:
        return
    unsettled = (
        select(source.c.guid)
        .where(source.c.job == job, source.c.settled.is_distinct_from(digest))
        .order_by(source.c.guid)
        .limit(IN_LIST)
    )
    after = ""
    while ids := connection.scalars(unsettled.where(source.c.guid > after)).all():
        named = select(reference.c.guid).where(
            reference.c.job == job, reference.c.to_guid.in_(ids)
        )
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(named))
            .values(settled=None)
        )
        after = ids[-1]


def _number(those: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((those, 1), else_=0)), 0)


def _count(
    connection: Connection, job: str, target: str, digest: str
) -> tuple[int, int, int]:
    present = is_present(target)
    query = select(
        _number(present),
        _number(present & (source.c.settled == digest)),
        _number(source.c.settled.is_distinct_from(digest)),
    ).where(source.c.job == job, is_looked_at(target))
    in_scope, unchanged, due = connection.execute(query).one()
    return in_scope, unchanged, due


def _settle(connection: Connection, job: str, ids: set[str], value: str) -> None:
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .values(settled=value)
        )


def _refer(connection: Connection, job: str, rows: EvaluatedRows) -> None:
    for some in slices(rows.references):
        connection.execute(
            delete(reference).where(reference.c.job == job, reference.c.guid.in_(some))
        )
    pairs = [
        {"job": job, "guid": guid, "to_guid": to}
        for guid, named in rows.references.items()
        for to in named
    ]
    upsert(connection, reference, pairs)


class Evaluations(Part):
    async def begin_evaluation(
        self, job: str, target: str, digest: str
    ) -> tuple[int, int, int]:
        def work(connection: Connection) -> tuple[int, int, int]:
            _unsettle_referrers(connection, job, digest)
            return _count(connection, job, target, digest)

        return await self.database.run(work)

    async def save_evaluated(
        self, job: str, cycle: str, digest: str, rows: EvaluatedRows
    ) -> None:
        needy = {each.id for each in rows.effects}

        def work(connection: Connection) -> None:
            upsert(connection, effect, rows_of(job, cycle, rows.effects))
            _refer(connection, job, rows)
            _settle(connection, job, set(rows.ids) - needy, digest)
            _settle(connection, job, set(rows.ids) & needy, cycle)
            forget(connection, job, rows.left)

        await self.database.run(work)

    async def settle_written(self, job: str, cycle: str, digest: str) -> None:
        waiting = select(effect.c.guid).where(effect.c.job == job)
        statement = (
            update(source)
            .where(source.c.job == job, source.c.settled == cycle)
            .where(source.c.guid.not_in(waiting))
            .values(settled=digest)
        )
        await self.database.run(lambda connection: connection.execute(statement))


class Found(Part):
    async def save_found(
        self, target: str, found: Sequence[Link], gone: Sequence[str]
    ) -> None:
        ids = [each.id for each in found]

        def work(connection: Connection) -> None:
            save_links(connection, target, found)
            forget_links(connection, target, gone)
            forget_written(connection, target, gone)
            unsettle(connection, [*ids, *gone, *referrers(connection, gone)])

        await self.database.run(work)
