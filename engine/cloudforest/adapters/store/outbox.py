"""The outbox: effects, from their evaluation until their outcome is stored.

An effect leaves the outbox in the transaction that stores its outcome. The same
transaction charges the budgets and updates the stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import asdict, replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    select,
    update,
)

from cloudforest.adapters.store.database import (
    MAX_IN_LIST,
    Row,
    StorePart,
    delete_batches,
    encode_json,
    insert_rows,
    read_batches,
    time_text,
    transaction,
    update_batches,
    upsert,
)
from cloudforest.adapters.store.imports import delete_sources
from cloudforest.adapters.store.links import save_links
from cloudforest.adapters.store.log import save_log
from cloudforest.adapters.store.memberships import (
    delete_written_members,
    is_pending_in,
    save_written_members,
)
from cloudforest.adapters.store.sources import (
    is_evaluated,
    is_present,
    unsettle_written,
)
from cloudforest.adapters.store.tables import (
    effect,
    link,
    reference,
    source,
    spent,
    staged,
)
from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import PHASE_WRITE, Effect, EvaluatedBatch, Outcome
from cloudforest.model.stages import BudgetCharge

RELEASE_BATCH = 500
EFFECT_COLUMNS = (effect.c.body, effect.c.sent)
"""The arguments of `read_effect`."""

decode_effect = msgspec.json.Decoder(Effect).decode


def _unsettle_referrers(db: Connection, job: str, digest: str) -> None:
    """Unsettle the rows that refer to an unsettled one: new, changed or gone.

    Unsettled rows are read in batches, since one statement would join all references.
    After a change of the mapping all rows are unsettled, and nothing must be done.
    """
    of_job = select(source.c.guid).where(source.c.job == job)
    if db.scalar(of_job.where(source.c.settled == digest).limit(1)) is None:
        return
    unsettled = of_job.where(source.c.settled.is_distinct_from(digest))
    batch = unsettled.order_by(source.c.guid).limit(MAX_IN_LIST)
    after = ""
    while ids := db.scalars(batch.where(source.c.guid > after)).all():
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


def _settle_sources(db: Connection, job: str, ids: set[str], value: str) -> None:
    statement = update(source).where(source.c.job == job).values(settled=value)
    update_batches(db, statement, source.c.guid, ids)


def unstage_done_effects(db: Connection, outcomes: Sequence[Outcome]) -> None:
    """Remove the effects that were released and are done from their stages."""
    keys: dict[str, list[str]] = {}
    for each in outcomes:
        if each.state == "done" and each.effect.stage is not None:
            keys.setdefault(each.effect.stage, []).append(each.effect.key)
    for stage, done in keys.items():
        delete_batches(db, staged.c.key, done, stage=stage)


def read_effect(body: bytes, sent: bool) -> Effect:  # noqa: FBT001 - a row, in order
    stored = decode_effect(body)
    return stored if stored.sent == sent else replace(stored, sent=sent)


def effect_rows(job: str, cycle: str, effects: Iterable[Effect]) -> list[Row]:
    return [
        {
            "job": job,
            "key": each.key,
            "guid": each.id,
            "cycle": cycle,
            "phase": each.phase,
            "state": each.state,
            "resource": each.resource,
            "action": each.action,
            "stage": each.stage,
            "digest": each.fingerprint if each.stage else None,
            "next_try": time_text(each.next_try) if each.next_try else None,
            "sent": each.sent,
            "body": encode_json(each),
        }
        for each in effects
    ]


def _select_page(
    after: str, limit: int, *conditions: ColumnElement[bool]
) -> Select[bytes, bool]:
    """Select the effects of a page, by key."""
    return (
        select(*EFFECT_COLUMNS)
        .where(*conditions, effect.c.key > after)
        .order_by(effect.c.key)
        .limit(limit)
    )


def _read_pending(
    db: Connection, job: str, cycle: str, ids: Sequence[str]
) -> Iterator[tuple[str, str | None, str, int]]:
    """Yield key, resource, action and phase of what the cycle will write."""
    columns = effect.c
    query = select(
        *(columns.key, columns.resource, columns.action, columns.phase),
        *(columns.cycle, columns.state),
    ).where(columns.job == job)
    for row in read_batches(db, query, columns.key, ids):
        # With this condition in SQL, SQLite would read all pending effects.
        if row[4:] == (cycle, "pending"):
            yield row[:4]


def release_escrow(
    db: Connection, job: str, object_id: str | None, now: datetime, *, reason: str = ""
) -> int:
    """Make escrowed effects due, of one object or all; return the number.

    Only effects whose reason contains `reason` count.
    """
    query = (
        select(effect.c.key, effect.c.cycle, *EFFECT_COLUMNS)
        .where(effect.c.job == job, effect.c.state == "escrowed")
        .order_by(effect.c.key)
        .limit(RELEASE_BATCH)
    )
    if object_id is not None:
        query = query.where(effect.c.guid == object_id)
    released, after = 0, ""
    while rows := db.execute(query.where(effect.c.key > after)).all():
        due = [
            row
            for _, cycle, *columns in rows
            if reason in ((each := read_effect(*columns)).reason or "")
            for row in effect_rows(
                job, cycle, [replace(each, attempts=0, next_try=now, since=None)]
            )
        ]
        upsert(db, effect, due)
        released += len(due)
        after = rows[-1].key
    return released


class Outbox(StorePart):
    @transaction
    def load_effects(
        self, db: Connection, job: str, keys: Sequence[str]
    ) -> dict[str, Effect]:
        query = select(effect.c.key, *EFFECT_COLUMNS).where(effect.c.job == job)
        return {
            key: read_effect(*row)
            for key, *row in read_batches(db, query, effect.c.key, keys)
        }

    @transaction
    def save_effects(
        self, db: Connection, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        upsert(db, effect, effect_rows(job, cycle, effects))

    @transaction
    def mark_sent(
        self, db: Connection, job: str, keys: Sequence[str], *, sent: bool
    ) -> None:
        statement = update(effect).where(effect.c.job == job).values(sent=sent)
        update_batches(db, statement, effect.c.key, keys)

    @transaction
    def drop_stale_effects(
        self, db: Connection, job: str, cycle: str, *, only_object: str | None = None
    ) -> None:
        statement = delete(effect).where(effect.c.job == job, effect.c.cycle != cycle)
        if only_object is not None:
            statement = statement.where(effect.c.guid == only_object)
        db.execute(statement)

    @transaction
    def remove_effects(self, db: Connection, job: str, keys: Sequence[str]) -> None:
        delete_batches(db, effect.c.key, keys, job=job)

    @transaction
    def list_pending_effects(
        self,
        db: Connection,
        job: str,
        cycle: str,
        phase: int,
        *,
        after: str,
        limit: int,
    ) -> list[Effect]:
        of_phase = (effect.c.job == job, effect.c.phase == phase, is_pending_in(cycle))
        query = _select_page(after, limit, *of_phase)
        return [read_effect(*row) for row in db.execute(query)]

    @transaction
    def list_effects(
        self, db: Connection, job: str, *, after: str, limit: int
    ) -> list[Effect]:
        query = _select_page(after, limit, effect.c.job == job)
        return [read_effect(*row) for row in db.execute(query)]

    @transaction
    def save_outcomes(  # noqa: PLR0913 - the port's parameters
        self,
        db: Connection,
        job: str,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
        charges: Sequence[BudgetCharge] = (),
    ) -> None:
        links = [each.link for each in outcomes if each.link and not each.unlinked]
        unlinked = [each.effect.id for each in outcomes if each.unlinked]
        done = [each.effect.key for each in outcomes if each.state == "done"]
        not_done = [each.effect for each in outcomes if each.state != "done"]
        save_written_members(db, target, outcomes)
        save_links(db, target, links)
        unsettle_written(db, cycle, outcomes)
        delete_batches(db, link.c.guid, unlinked, target=target)
        delete_written_members(db, target, unlinked)
        delete_sources(db, job, unlinked)
        unstage_done_effects(db, outcomes)
        charged = [
            {"job": job, **asdict(each), "time": time_text(each.time)}
            for each in charges
        ]
        insert_rows(db, spent, charged)
        delete_batches(db, effect.c.key, done, job=job)
        upsert(db, effect, effect_rows(job, cycle, not_done))
        save_log(db, log)

    @transaction
    def count_effects(self, db: Connection) -> dict[str, dict[str, int]]:
        query = select(effect.c.job, effect.c.state, func.count()).group_by(
            effect.c.job, effect.c.state
        )
        counts: dict[str, dict[str, int]] = {}
        for job, state, number in db.execute(query):
            counts.setdefault(job, {})[state] = number
        return counts

    @transaction
    def list_due_effects(
        self, db: Connection, job: str, now: datetime, *, after: str, limit: int
    ) -> list[Effect]:
        is_due = effect.c.next_try <= time_text(now)
        query = _select_page(
            after, limit, effect.c.job == job, effect.c.state == "escrowed", is_due
        )
        return [read_effect(*row) for row in db.execute(query)]

    @transaction
    def list_escrowed_effects(
        self, db: Connection, job: str, *, after: str, limit: int
    ) -> list[tuple[Effect, str | None]]:
        of_object = and_(source.c.job == effect.c.job, source.c.guid == effect.c.guid)
        query = (
            _select_page(
                after, limit, effect.c.job == job, effect.c.state == "escrowed"
            )
            .add_columns(source.c.dn)
            .outerjoin_from(effect, source, of_object)
        )
        return [(read_effect(*row), dn) for *row, dn in db.execute(query)]

    @transaction
    def retry_escrowed(
        self, db: Connection, job: str, object_guid: str | None, now: datetime
    ) -> int:
        return release_escrow(db, job, object_guid, now)

    @transaction
    def find_pending_writes(
        self, db: Connection, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        pending = _read_pending(db, job, cycle, ids)
        return {key: resource for key, resource, _, _ in pending}

    @transaction
    def find_pending_creations(
        self, db: Connection, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        return {
            key: phase
            for key, *content, phase in _read_pending(db, job, cycle, ids)
            if content == [None, "create"]
        }

    @transaction
    def find_pending_adoptions(
        self, db: Connection, job: str, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        query = select(effect.c.resource, effect.c.guid).where(
            effect.c.job == job, effect.c.cycle == cycle, effect.c.phase == PHASE_WRITE
        )
        return dict(read_batches(db, query, effect.c.resource, resources))

    @transaction
    def begin_evaluation(
        self, db: Connection, job: str, target: str, digest: str
    ) -> tuple[int, int, int]:
        _unsettle_referrers(db, job, digest)
        present, settled = is_present(target), source.c.settled
        query = select(
            _count_where(present),
            _count_where(present & (settled == digest)),
            _count_where(settled.is_distinct_from(digest)),
        )
        counted = query.where(source.c.job == job, is_evaluated(target))
        return db.execute(counted).one()

    @transaction
    def save_evaluated_batch(
        self, db: Connection, job: str, cycle: str, digest: str, batch: EvaluatedBatch
    ) -> None:
        with_effects = {each.id for each in batch.effects}
        upsert(db, effect, effect_rows(job, cycle, batch.effects))
        delete_batches(db, reference.c.guid, batch.references, job=job)
        rows = [
            {"job": job, "guid": guid, "to_guid": to}
            for guid, named in batch.references.items()
            for to in named
        ]
        upsert(db, reference, rows)
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
