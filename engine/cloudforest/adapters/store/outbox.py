"""The outbox: effects, pending or in escrow, until their outcome is stored.

An effect leaves the outbox in the transaction that stores its outcome. The same
transaction charges the budgets and updates the stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from cloudforest.adapters.store.database import (
    Row,
    StorePart,
    encode_json,
    slice_values,
    time_text,
    transaction,
    upsert,
)
from cloudforest.adapters.store.imports import delete_sources
from cloudforest.adapters.store.links import delete_links, save_links
from cloudforest.adapters.store.log import save_log
from cloudforest.adapters.store.memberships import (
    delete_written_members,
    is_pending_in,
    save_written_members,
)
from cloudforest.adapters.store.sources import unsettle_written
from cloudforest.adapters.store.tables import effect, source, spent, staged
from cloudforest.model.cycles import LogEntry
from cloudforest.model.effects import PHASE_WRITE, Effect, Outcome
from cloudforest.model.stages import BudgetCharge

RELEASE_BATCH = 500
EFFECT_COLUMNS = (effect.c.body, effect.c.sent)
"""The arguments of `read_effect`."""

decode_effect = msgspec.json.Decoder(Effect).decode


def save_charges(db: Connection, job: str, charges: Iterable[BudgetCharge]) -> None:
    rows = [
        {
            "job": job,
            "guard": each.guard,
            "time": time_text(each.time),
            "effects": each.effects,
        }
        for each in charges
    ]
    if rows:
        db.execute(insert(spent), rows)


def delete_staged(db: Connection, stage: str, keys: Iterable[str]) -> None:
    for batch in slice_values(keys):
        db.execute(
            delete(staged).where(staged.c.stage == stage, staged.c.key.in_(batch))
        )


def unstage_done_effects(db: Connection, outcomes: Sequence[Outcome]) -> None:
    """Remove the effects that were released and are done from their stages."""
    keys: dict[str, list[str]] = {}
    for each in outcomes:
        if each.state == "done" and each.effect.stage is not None:
            keys.setdefault(each.effect.stage, []).append(each.effect.key)
    for stage, done in keys.items():
        delete_staged(db, stage, done)


def read_effect(body: bytes, sent: bool) -> Effect:  # noqa: FBT001 - a row, in order
    stored = decode_effect(body)
    if stored.sent == sent:
        return stored
    return msgspec.structs.replace(stored, sent=sent)


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


def delete_effects(db: Connection, job: str, keys: Iterable[str]) -> None:
    for batch in slice_values(keys):
        db.execute(delete(effect).where(effect.c.job == job, effect.c.key.in_(batch)))


def _mark_sent(db: Connection, job: str, keys: Iterable[str], *, sent: bool) -> None:
    for batch in slice_values(keys):
        db.execute(
            update(effect)
            .where(effect.c.job == job, effect.c.key.in_(batch))
            .values(sent=sent)
        )


def _make_due(escrowed: Effect, now: datetime) -> Effect:
    return msgspec.structs.replace(escrowed, attempts=0, next_try=now, since=None)


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
            for row in effect_rows(job, cycle, [_make_due(each, now)])
        ]
        upsert(db, effect, due)
        released += len(due)
        after = rows[-1].key
    return released


class Effects(StorePart):
    @transaction
    def load_effects(
        self, db: Connection, job: str, keys: Sequence[str]
    ) -> dict[str, Effect]:
        return {
            key: read_effect(*row)
            for batch in slice_values(keys)
            for key, *row in db.execute(
                select(effect.c.key, *EFFECT_COLUMNS).where(
                    effect.c.job == job, effect.c.key.in_(batch)
                )
            )
        }

    async def save_effects(
        self, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        rows = effect_rows(job, cycle, effects)
        if rows:
            await self.database.run(lambda db: upsert(db, effect, rows))

    async def mark_sent(self, job: str, keys: Sequence[str], *, sent: bool) -> None:
        if keys:
            await self.database.run(lambda db: _mark_sent(db, job, keys, sent=sent))

    @transaction
    def drop_stale_effects(
        self, db: Connection, job: str, cycle: str, *, only_object: str | None = None
    ) -> None:
        statement = delete(effect).where(effect.c.job == job, effect.c.cycle != cycle)
        if only_object is not None:
            statement = statement.where(effect.c.guid == only_object)
        db.execute(statement)

    async def remove_effects(self, job: str, keys: Sequence[str]) -> None:
        if keys:
            await self.database.run(lambda db: delete_effects(db, job, keys))

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
        query = (
            select(*EFFECT_COLUMNS)
            .where(effect.c.job == job, effect.c.phase == phase, is_pending_in(cycle))
            .where(effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return [read_effect(*row) for row in db.execute(query)]

    @transaction
    def list_effects(
        self, db: Connection, job: str, *, after: str, limit: int
    ) -> list[Effect]:
        query = (
            select(*EFFECT_COLUMNS)
            .where(effect.c.job == job, effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
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
        delete_links(db, target, unlinked)
        delete_written_members(db, target, unlinked)
        delete_sources(db, job, unlinked)
        unstage_done_effects(db, outcomes)
        save_charges(db, job, charges)
        delete_effects(db, job, done)
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
        query = (
            select(*EFFECT_COLUMNS)
            .where(effect.c.job == job, effect.c.state == "escrowed")
            .where(effect.c.next_try <= time_text(now), effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return [read_effect(*row) for row in db.execute(query)]

    @transaction
    def list_escrowed_effects(
        self, db: Connection, job: str, *, after: str, limit: int
    ) -> list[tuple[Effect, str | None]]:
        of_object = and_(source.c.job == effect.c.job, source.c.guid == effect.c.guid)
        query = (
            select(source.c.dn, *EFFECT_COLUMNS)
            .outerjoin_from(effect, source, of_object)
            .where(effect.c.job == job, effect.c.state == "escrowed")
            .where(effect.c.key > after)
            .order_by(effect.c.key)
            .limit(limit)
        )
        return [(read_effect(*row), dn) for dn, *row in db.execute(query)]

    @transaction
    def retry_escrowed(
        self, db: Connection, job: str, object_guid: str | None, now: datetime
    ) -> int:
        return release_escrow(db, job, object_guid, now)

    @transaction
    def find_pending_writes(
        self, db: Connection, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        return {
            key: resource
            for batch in slice_values(ids)
            for key, resource, of_cycle, state in db.execute(
                select(
                    effect.c.key, effect.c.resource, effect.c.cycle, effect.c.state
                ).where(effect.c.job == job, effect.c.key.in_(batch))
            )
            # With this condition in SQL, SQLite would read all pending effects.
            if (of_cycle, state) == (cycle, "pending")
        }

    @transaction
    def find_pending_creations(
        self, db: Connection, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        columns = effect.c
        return {
            key: phase
            for batch in slice_values(ids)
            for key, phase, *rest in db.execute(
                select(
                    *(columns.key, columns.phase, columns.resource, columns.action),
                    *(columns.cycle, columns.state),
                ).where(columns.job == job, columns.key.in_(batch))
            )
            if rest == [None, "create", cycle, "pending"]
        }

    @transaction
    def find_pending_adoptions(
        self, db: Connection, job: str, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        return {
            resource: guid
            for batch in slice_values(resources)
            for resource, guid in db.execute(
                select(effect.c.resource, effect.c.guid).where(
                    effect.c.job == job,
                    effect.c.cycle == cycle,
                    effect.c.phase == PHASE_WRITE,
                    effect.c.resource.in_(batch),
                )
            )
        }
