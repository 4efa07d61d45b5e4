"""Stages with their allowances, and the effects charged to each budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import asdict, replace
from sqlalchemy import (
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    not_,
    select,
    update,
)

from cloudforest.adapters.store.database import (
    Row,
    StorePart,
    delete_batches,
    encode_json,
    time_text,
    transaction,
    upsert,
)
from cloudforest.adapters.store.log import save_log
from cloudforest.adapters.store.outbox import (
    EFFECT_COLUMNS,
    effect_rows,
    read_effect,
    release_escrow,
)
from cloudforest.adapters.store.tables import (
    allowance,
    effect,
    source,
    spent,
    stage,
    staged,
)
from cloudforest.model.cycles import LogEntry
from cloudforest.model.stages import HELD_BY_STAGE, Allowance, Stage, StagedEffect

DISCARD_BATCH = 500
STAGED_COLUMNS = (staged.c.key, staged.c.guid, staged.c.action, staged.c.digest)
decode_stage = msgspec.json.Decoder(Stage).decode


def _close_stages(
    db: Connection, ids: Sequence[str], state: str, now: datetime
) -> None:
    """End stages: delete their effects and allowances, and keep their rows.

    Escrowed effects that waited for the decision become due, also those of other jobs.
    """
    for job in db.scalars(select(effect.c.job).distinct()).all():
        release_escrow(db, job, None, now, reason=HELD_BY_STAGE)
    db.execute(update(stage).where(stage.c.id.in_(ids)).values(state=state))
    db.execute(delete(staged).where(staged.c.stage.in_(ids)))
    db.execute(delete(allowance).where(allowance.c.stage.in_(ids)))


def _discard_batch(db: Connection, job: str, id_: str) -> int:
    """Discard a batch of a stage's effects; return the number."""
    query = (
        select(effect.c.cycle, *EFFECT_COLUMNS)
        .where(effect.c.job == job, effect.c.stage == id_)
        .limit(DISCARD_BATCH)
    )
    rows: list[Row] = []
    for cycle, *columns in db.execute(query):
        discarded = replace(read_effect(*columns), state="discarded", stage=None)
        rows += effect_rows(job, cycle, [discarded])
    upsert(db, effect, rows)
    return len(rows)


def _to_staged_effect(*row: str) -> StagedEffect:
    """Read STAGED_COLUMNS, with the DN of the object if it is there."""
    return StagedEffect(**dict(zip(StagedEffect.__struct_fields__, row, strict=False)))


class Stages(StorePart):
    @transaction
    def save_stage(self, db: Connection, new: Stage) -> None:
        row: Row = {"id": new.id, "job": new.job, "created": time_text(new.created)}
        row |= {"state": "waiting", "body": encode_json(new)}
        upsert(db, stage, [row])
        db.execute(delete(staged).where(staged.c.stage == new.id))
        columns = [effect.c[each.name] for each in staged.c]
        of_stage = (effect.c.job == new.job, effect.c.stage == new.id)
        rows = select(*columns).where(*of_stage)
        db.execute(insert(staged).from_select(columns, rows))

    @transaction
    def list_stages(self, db: Connection, job: str | None = None) -> list[Stage]:
        waiting = (
            select(effect.c.job, effect.c.stage, func.count().label("number"))
            .where(effect.c.stage.is_not(None))
            .group_by(effect.c.job, effect.c.stage)
            .subquery()
        )
        is_waiting = and_(waiting.c.stage == stage.c.id, waiting.c.job == stage.c.job)
        query = (
            select(stage.c.job, stage.c.body, func.coalesce(waiting.c.number, 0))
            .outerjoin(waiting, is_waiting)
            .where(stage.c.state == "waiting")
            .order_by(stage.c.created, stage.c.id)
        )
        if job is not None:
            query = query.where(stage.c.job == job)
        return [
            replace(decode_stage(body), job=name, waiting=number)
            for name, body, number in db.execute(query)
        ]

    @transaction
    def list_staged_effects(
        self, db: Connection, stage: str, after: str, limit: int
    ) -> list[StagedEffect]:
        of_object = and_(source.c.job == staged.c.job, source.c.guid == staged.c.guid)
        query = (
            select(*STAGED_COLUMNS, source.c.dn)
            .outerjoin(source, of_object)
            .where(staged.c.stage == stage, staged.c.key > after)
            .order_by(staged.c.key)
            .limit(limit)
        )
        return [_to_staged_effect(*row) for row in db.execute(query)]

    @transaction
    def list_superseded_effects(
        self, db: Connection, job: str, cycle: str, stage: str, limit: int
    ) -> list[StagedEffect]:
        wanted = exists().where(
            *(effect.c.job == job, effect.c.key == staged.c.key),
            *(effect.c.cycle == cycle, effect.c.stage == stage),
        )
        query = select(*STAGED_COLUMNS).where(staged.c.stage == stage, not_(wanted))
        query = query.order_by(staged.c.key).limit(limit)
        return [_to_staged_effect(*row) for row in db.execute(query)]

    @transaction
    def forget_staged_effects(
        self, db: Connection, stage: str, keys: Sequence[str], log: Sequence[LogEntry]
    ) -> None:
        delete_batches(db, staged.c.key, keys, stage=stage)
        save_log(db, log)

    @transaction
    def close_stages(self, db: Connection, job: str, now: datetime) -> None:
        has_effects = exists().where(effect.c.stage == stage.c.id, effect.c.job == job)
        query = select(stage.c.id).where(
            stage.c.job == job, stage.c.state == "waiting", not_(has_effects)
        )
        if ids := db.scalars(query).all():
            _close_stages(db, ids, "closed", now)

    @transaction
    def discard_stage(self, db: Connection, stage: Stage, now: datetime) -> int:
        number = 0
        while discarded := _discard_batch(db, stage.job, stage.id):
            number += discarded
        _close_stages(db, [stage.id], "discarded", now)
        return number

    @transaction
    def save_allowance(self, db: Connection, new: Allowance) -> None:
        upsert(db, allowance, [{**asdict(new), "until": time_text(new.until)}])

    @transaction
    def list_allowances(self, db: Connection, now: datetime) -> list[Allowance]:
        query = select(allowance).where(allowance.c.until > time_text(now))
        rows = db.execute(query).mappings()
        return [msgspec.convert(row, Allowance) for row in rows]

    @transaction
    def sum_budget_charges(
        self, db: Connection, job: str, guard: str, since: datetime
    ) -> int:
        budget = and_(spent.c.job == job, spent.c.guard == guard)
        old = spent.c.time < time_text(since)
        db.execute(delete(spent).where(budget, old))
        total = select(func.coalesce(func.sum(spent.c.effects), 0)).where(budget)
        return int(db.scalars(total).one())
