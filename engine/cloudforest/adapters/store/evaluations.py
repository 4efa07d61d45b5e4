"""Evaluations: which rows must be looked at, and what was found to be needed.

What the target was found to hold, in place of what was written there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, case, delete, func, select, update

from cloudforest.adapters.store.database import (
    MAX_IN_LIST,
    StorePart,
    slice_values,
    transaction,
    upsert,
)
from cloudforest.adapters.store.imports import delete_sources
from cloudforest.adapters.store.links import delete_links, save_links
from cloudforest.adapters.store.memberships import delete_written_members
from cloudforest.adapters.store.outbox import effect_rows
from cloudforest.adapters.store.sources import (
    find_referrers,
    is_evaluated,
    is_present,
    unsettle_objects,
)
from cloudforest.adapters.store.tables import effect, reference, source
from cloudforest.model.effects import EvaluatedBatch
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
        .limit(MAX_IN_LIST)
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


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _count_sources(
    connection: Connection, job: str, target: str, digest: str
) -> tuple[int, int, int]:
    present = is_present(target)
    query = select(
        _count_where(present),
        _count_where(present & (source.c.settled == digest)),
        _count_where(source.c.settled.is_distinct_from(digest)),
    ).where(source.c.job == job, is_evaluated(target))
    in_scope, unchanged, due = connection.execute(query).one()
    return in_scope, unchanged, due


def _settle_sources(
    connection: Connection, job: str, ids: set[str], value: str
) -> None:
    for some in slice_values(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .values(settled=value)
        )


def _save_references(connection: Connection, job: str, rows: EvaluatedBatch) -> None:
    for some in slice_values(rows.references):
        connection.execute(
            delete(reference).where(reference.c.job == job, reference.c.guid.in_(some))
        )
    pairs = [
        {"job": job, "guid": guid, "to_guid": to}
        for guid, named in rows.references.items()
        for to in named
    ]
    upsert(connection, reference, pairs)


class Evaluations(StorePart):
    @transaction
    def begin_evaluation(
        self, connection: Connection, job: str, target: str, digest: str
    ) -> tuple[int, int, int]:
        _unsettle_referrers(connection, job, digest)
        return _count_sources(connection, job, target, digest)

    @transaction
    def save_evaluated_batch(
        self,
        connection: Connection,
        job: str,
        cycle: str,
        digest: str,
        batch: EvaluatedBatch,
    ) -> None:
        needy = {each.id for each in batch.effects}

        upsert(connection, effect, effect_rows(job, cycle, batch.effects))
        _save_references(connection, job, batch)
        _settle_sources(connection, job, set(batch.ids) - needy, digest)
        _settle_sources(connection, job, set(batch.ids) & needy, cycle)
        delete_sources(connection, job, batch.kept_by_siblings)

    @transaction
    def settle_written(
        self, connection: Connection, job: str, cycle: str, digest: str
    ) -> None:
        waiting = select(effect.c.guid).where(effect.c.job == job)
        statement = (
            update(source)
            .where(source.c.job == job, source.c.settled == cycle)
            .where(source.c.guid.not_in(waiting))
            .values(settled=digest)
        )
        connection.execute(statement)


class ObservedLinks(StorePart):
    @transaction
    def save_observed(
        self,
        connection: Connection,
        target: str,
        observed: Sequence[Link],
        gone: Sequence[str],
    ) -> None:
        ids = [each.object_guid for each in observed]

        save_links(connection, target, observed)
        delete_links(connection, target, gone)
        delete_written_members(connection, target, gone)
        unsettle_objects(connection, [*ids, *gone, *find_referrers(connection, gone)])
