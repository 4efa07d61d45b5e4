"""Job states, breakers, cycles, restarts, and the scratch jobs of plans."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    Select,
    Table,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    select,
    update,
)

from cloudforest.adapters.store import tables
from cloudforest.adapters.store.database import (
    StorePart,
    encode_json,
    transaction,
    upsert,
)
from cloudforest.adapters.store.outbox import release_escrow
from cloudforest.adapters.store.tables import (
    breaker,
    cycle,
    job_state,
    link,
    source,
    watermark,
)
from cloudforest.model.cycles import Cycle, Watermark
from cloudforest.model.jobs import (
    RESET_SCOPES,
    Breaker,
    JobHealth,
    JobState,
    ResetScope,
)
from cloudforest.model.ports.store import HealthUpdate, JobStateUpdate

IMPORT_TABLES = (
    *(tables.source, tables.inquiry, tables.scope_member),
    *(tables.reference, tables.membership),
)
JOB_TABLES = (*IMPORT_TABLES, tables.effect, watermark)
CYCLE_COLUMNS = (cycle.c.job, cycle.c.target, cycle.c.body)
SUCCESSFUL_STATES = ("succeeded", "partial", "blocked")
INTERRUPTED_MESSAGE = (
    "The service stopped before this cycle ended. The next cycle continues from there."
)

decode_cycle = msgspec.json.Decoder(Cycle).decode
decode_state = msgspec.json.Decoder(JobState).decode
decode_breaker = msgspec.json.Decoder(Breaker).decode


def _read_body(db: Connection, table: Table, name: str) -> bytes | None:
    [key] = table.primary_key
    query = select(table.c.body).where(key == name).with_for_update()
    body: bytes | None = db.scalar(query)
    return body


def _read_state(db: Connection, job: str) -> JobState:
    body = _read_body(db, job_state, job)
    return decode_state(body) if body else JobState()


def _save_state(db: Connection, job: str, state: JobState) -> None:
    upsert(db, job_state, [{"job": job, "body": encode_json(state)}])


def _change_state(db: Connection, job: str, change: JobStateUpdate) -> JobState:
    changed = change(_read_state(db, job))
    _save_state(db, job, changed)
    return changed


def _reset_watermark(db: Connection, job: str, *, bindings: bool) -> None:
    """Make the next import a full one; `bindings`: forget the scope's bindings too."""
    body = _read_body(db, watermark, job)
    if body is None:
        return
    stored = msgspec.json.decode(body, type=Watermark)
    kept = None if bindings else encode_json(replace(stored, value=None))
    db.execute(update(watermark).where(watermark.c.job == job).values(body=kept))


def _read_cycles(db: Connection, query: Select[str, str, bytes]) -> list[Cycle]:
    """Read cycles (`CYCLE_COLUMNS`) under the current names of job and target."""
    return [
        replace(decode_cycle(body), job=job, target=target)
        for job, target, body in db.execute(query)
    ]


def _save_cycle(db: Connection, value: Cycle) -> None:
    row = {"id": value.id, "job": value.job, "target": value.target}
    row |= {"started": value.started.isoformat(), "state": value.state}
    upsert(db, cycle, [{**row, "body": encode_json(value)}])


def _drop_rows(db: Connection, job: str) -> None:
    for table in JOB_TABLES:
        db.execute(delete(table).where(table.c.job == job))


class Jobs(StorePart):
    @transaction
    def load_job_states(self, db: Connection) -> dict[str, JobState]:
        query = select(job_state.c.job, job_state.c.body)
        return {job: decode_state(body) for job, body in db.execute(query)}

    @transaction
    def load_breakers(self, db: Connection) -> dict[str, Breaker]:
        query = select(breaker.c.target, breaker.c.body)
        return {target: decode_breaker(body) for target, body in db.execute(query)}

    @transaction
    def change_job_state(
        self, db: Connection, job: str, change: JobStateUpdate
    ) -> JobState:
        return _change_state(db, job, change)

    @transaction
    def restart_job(
        self,
        db: Connection,
        job: str,
        target: str,
        *,
        resets: Collection[ResetScope],
        change: JobStateUpdate,
        now: datetime,
    ) -> None:
        if "Escrows" in resets:
            release_escrow(db, job, None, now)
        if "Watermark" in resets:
            _reset_watermark(db, job, bindings=set(resets) >= set(RESET_SCOPES))
        if "ConnectorDataStore" in resets:
            of_job = select(source.c.guid).where(source.c.job == job)
            links = (link.c.target == target, link.c.guid.in_(of_job))
            db.execute(update(link).where(*links).values(checked=false()))
            db.execute(update(source).where(source.c.job == job).values(settled=None))
        _change_state(db, job, change)

    @transaction
    def start_cycle(self, db: Connection, started: Cycle) -> None:
        of_job = select(*CYCLE_COLUMNS).where(cycle.c.job == started.job)
        for each in _read_cycles(db, of_job.where(cycle.c.state == "running")):
            failed = replace(each, state="failed", error=INTERRUPTED_MESSAGE)
            _save_cycle(db, failed)
        _save_cycle(db, started)

    @transaction
    def finish_cycle(
        self, db: Connection, finished: Cycle, update_health: HealthUpdate
    ) -> None:
        _save_cycle(db, finished)
        job, target = finished.job, finished.target
        body = _read_body(db, breaker, target)
        before = JobHealth(
            job_state=_read_state(db, job),
            breaker=decode_breaker(body) if body else None,
        )
        after = update_health(before)
        _save_state(db, job, after.job_state)
        if after.breaker is None:
            db.execute(delete(breaker).where(breaker.c.target == target))
        elif after.breaker != before.breaker:
            row = {"target": target, "body": encode_json(after.breaker)}
            upsert(db, breaker, [row])

    @transaction
    def load_last_cycles(self, db: Connection) -> dict[str, Cycle]:
        last = (
            select(cycle.c.job, func.max(cycle.c.started).label("started"))
            .group_by(cycle.c.job)
            .subquery()
        )
        query = select(*CYCLE_COLUMNS).join(
            last, (cycle.c.job == last.c.job) & (cycle.c.started == last.c.started)
        )
        return {each.job: each for each in _read_cycles(db, query)}

    @transaction
    def prune_cycles(self, db: Connection, before: datetime, limit: int) -> int:
        later = cycle.alias()
        is_later = (later.c.job == cycle.c.job) & (later.c.started > cycle.c.started)
        succeeded = later.c.state.in_(SUCCESSFUL_STATES)
        of_target = (later.c.target == cycle.c.target) & succeeded
        has_successor = exists().where(is_later, of_target)
        is_dispensable = cycle.c.state.not_in(SUCCESSFUL_STATES) | has_successor
        old = (
            select(cycle.c.id)
            .where(cycle.c.started < before.isoformat())
            .where(exists().where(is_later), is_dispensable)
            .order_by(cycle.c.started)
            .limit(limit)
        )
        return db.execute(delete(cycle).where(cycle.c.id.in_(old))).rowcount

    @transaction
    def has_finished_cycle(self, db: Connection, job: str, target: str) -> bool:
        query = (
            select(cycle.c.id)
            .where(cycle.c.job == job, cycle.c.target == target)
            .where(cycle.c.state.in_(SUCCESSFUL_STATES))
            .limit(1)
        )
        return db.execute(query).first() is not None

    @transaction
    def copy_job_data(self, db: Connection, job: str, scratch: str) -> None:
        _drop_rows(db, scratch)
        for table in IMPORT_TABLES:
            names = ["job", *(each.name for each in table.c if each.name != "job")]
            rows = select(literal(scratch), *(table.c[each] for each in names[1:]))
            rows = rows.where(table.c.job == job)
            db.execute(insert(table).from_select(names, rows))
        generation = func.coalesce(func.max(watermark.c.generation), 0)
        rows = select(literal(scratch), generation).where(watermark.c.job == job)
        db.execute(insert(watermark).from_select(["job", "generation"], rows))

    @transaction
    def drop_job_data(self, db: Connection, job: str) -> None:
        _drop_rows(db, job)

    @transaction
    def drop_scratch_data(self, db: Connection) -> None:
        # Each scratch job has a row in this small table; the others are too large.
        scratch = select(watermark.c.job).where(watermark.c.job.like("plan:%"))
        for job in db.scalars(scratch).all():
            _drop_rows(db, job)
        for table in (tables.resource, tables.resource_key):
            db.execute(delete(table))
