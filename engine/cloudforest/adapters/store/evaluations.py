"""Evaluations: which source objects are due, and the effects that they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, case, delete, func, select, update

from cloudforest.adapters.store.database import (
    MAX_IN_LIST,
    StorePart,
    execute_batches,
    transaction,
    upsert,
)
from cloudforest.adapters.store.imports import delete_sources
from cloudforest.adapters.store.outbox import effect_rows
from cloudforest.adapters.store.sources import is_evaluated, is_present
from cloudforest.adapters.store.tables import effect, reference, source
from cloudforest.model.effects import EvaluatedBatch


def _unsettle_referrers(db: Connection, job: str, digest: str) -> None:
    """Unsettle the rows that refer to an unsettled one: new, changed or gone.

    Unsettled rows are read in batches, since one statement would join all references.
    After a change of the mapping all rows are unsettled, and nothing must be done.
    """
    settled = select(source.c.guid).where(
        source.c.job == job, source.c.settled == digest
    )
    if db.scalar(settled.limit(1)) is None:
        return
    unsettled = (
        select(source.c.guid)
        .where(source.c.job == job, source.c.settled.is_distinct_from(digest))
        .order_by(source.c.guid)
        .limit(MAX_IN_LIST)
    )
    after = ""
    while ids := db.scalars(unsettled.where(source.c.guid > after)).all():
        referrers = select(reference.c.guid).where(
            reference.c.job == job, reference.c.to_guid.in_(ids)
        )
        db.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(referrers))
            .values(settled=None)
        )
        after = ids[-1]


def _count_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _count_sources(
    db: Connection, job: str, target: str, digest: str
) -> tuple[int, int, int]:
    present = is_present(target)
    query = select(
        _count_where(present),
        _count_where(present & (source.c.settled == digest)),
        _count_where(source.c.settled.is_distinct_from(digest)),
    ).where(source.c.job == job, is_evaluated(target))
    in_scope, unchanged, due = db.execute(query).one()
    return in_scope, unchanged, due


def _settle_sources(db: Connection, job: str, ids: set[str], value: str) -> None:
    statement = update(source).where(source.c.job == job).values(settled=value)
    execute_batches(db, statement, source.c.guid, ids)


def _save_references(
    db: Connection, job: str, references: Mapping[str, Sequence[str]]
) -> None:
    statement = delete(reference).where(reference.c.job == job)
    execute_batches(db, statement, reference.c.guid, references)
    rows = [
        {"job": job, "guid": guid, "to_guid": to}
        for guid, named in references.items()
        for to in named
    ]
    upsert(db, reference, rows)


class Evaluations(StorePart):
    @transaction
    def begin_evaluation(
        self, db: Connection, job: str, target: str, digest: str
    ) -> tuple[int, int, int]:
        _unsettle_referrers(db, job, digest)
        return _count_sources(db, job, target, digest)

    @transaction
    def save_evaluated_batch(
        self, db: Connection, job: str, cycle: str, digest: str, batch: EvaluatedBatch
    ) -> None:
        with_effects = {each.id for each in batch.effects}
        upsert(db, effect, effect_rows(job, cycle, batch.effects))
        _save_references(db, job, batch.references)
        _settle_sources(db, job, set(batch.ids) - with_effects, digest)
        _settle_sources(db, job, set(batch.ids) & with_effects, cycle)
        delete_sources(db, job, batch.kept_by_siblings)

    @transaction
    def settle_written(self, db: Connection, job: str, cycle: str, digest: str) -> None:
        waiting = select(effect.c.guid).where(effect.c.job == job)
        db.execute(
            update(source)
            .where(source.c.job == job, source.c.settled == cycle)
            .where(source.c.guid.not_in(waiting))
            .values(settled=digest)
        )
