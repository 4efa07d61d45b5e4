"""Job states, breakers, cycles, restarts, and the scratch jobs of plans."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    RowMapping,
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
    effect,
    inquiry,
    job_state,
    link,
    membership,
    reference,
    resource,
    resource_key,
    scope_member,
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

IMPORT_TABLES = (source, inquiry, scope_member, reference, membership)
JOB_TABLES = (*IMPORT_TABLES, effect, watermark)
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
    body: bytes | None = db.execute(query).scalar()
    return body


def _read_state(db: Connection, job: str) -> JobState:
    body = _read_body(db, job_state, job)
    return decode_state(body) if body else JobState()


def _save_state(db: Connection, job: str, state: JobState) -> None:
    upsert(db, job_state, [{"job": job, "body": encode_json(state)}])


def change_job_state(db: Connection, job: str, change: JobStateUpdate) -> JobState:
    changed = change(_read_state(db, job))
    _save_state(db, job, changed)
    return changed


def change_job_health(
    db: Connection, job: str, target: str, update_health: HealthUpdate
) -> None:
    body = _read_body(db, breaker, target)
    before = JobHealth(
        job_state=_read_state(db, job), breaker=decode_breaker(body) if body else None
    )
    after = update_health(before)
    _save_state(db, job, after.job_state)
    if after.breaker is None:
        db.execute(delete(breaker).where(breaker.c.target == target))
    elif after.breaker != before.breaker:
        upsert(db, breaker, [{"target": target, "body": encode_json(after.breaker)}])


def _reset_watermark(db: Connection, job: str, *, bindings: bool) -> None:
    """Make the next import a full one; `bindings`: forget the scope's bindings too."""
    body = _read_body(db, watermark, job)
    if body is None:
        return
    stored = msgspec.json.decode(body, type=Watermark)
    kept = None if bindings else encode_json(replace(stored, value=None))
    db.execute(update(watermark).where(watermark.c.job == job).values(body=kept))


def _uncheck_links(db: Connection, job: str, target: str) -> None:
    """Make the next cycle read each linked object of the job from the target."""
    of_job = select(source.c.guid).where(source.c.job == job)
    db.execute(
        update(link)
        .where(link.c.target == target, link.c.guid.in_(of_job))
        .values(checked=false())
    )
    db.execute(update(source).where(source.c.job == job).values(settled=None))


def read_cycle(row: RowMapping) -> Cycle:
    """Read a cycle under the current names of its job and target."""
    stored = decode_cycle(row["body"])
    return replace(stored, job=row["job"], target=row["target"])


def fail_running_cycles(db: Connection, job: str) -> None:
    """Mark the job's cycles that were interrupted, and still say running, as failed."""
    query = select(*CYCLE_COLUMNS).where(cycle.c.job == job, cycle.c.state == "running")
    for row in db.execute(query).mappings().all():
        interrupted = read_cycle(row)
        failed = replace(interrupted, state="failed", error=INTERRUPTED_MESSAGE)
        save_cycle(db, failed)


def save_cycle(db: Connection, value: Cycle) -> None:
    row = {
        "id": value.id,
        "job": value.job,
        "target": value.target,
        "started": value.started.isoformat(),
        "state": value.state,
        "body": encode_json(value),
    }
    upsert(db, cycle, [row])


def copy_rows(db: Connection, table: Table, job: str, scratch: str) -> None:
    columns = [column for column in table.columns if column.name != "job"]
    names = ["job", *(column.name for column in columns)]
    rows = select(literal(scratch), *columns).where(table.c.job == job)
    db.execute(insert(table).from_select(names, rows))


def drop_rows(db: Connection, job: str) -> None:
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
        return change_job_state(db, job, change)

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
            _uncheck_links(db, job, target)
        change_job_state(db, job, change)

    @transaction
    def start_cycle(self, db: Connection, cycle: Cycle) -> None:
        fail_running_cycles(db, cycle.job)
        save_cycle(db, cycle)

    @transaction
    def finish_cycle(
        self, db: Connection, cycle: Cycle, update_health: HealthUpdate
    ) -> None:
        save_cycle(db, cycle)
        change_job_health(db, cycle.job, cycle.target, update_health)

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
        return {row["job"]: read_cycle(row) for row in db.execute(query).mappings()}

    @transaction
    def prune_cycles(self, db: Connection, before: datetime, limit: int) -> int:
        later = cycle.alias()
        is_later = (later.c.job == cycle.c.job) & (later.c.started > cycle.c.started)
        of_target = (later.c.target == cycle.c.target) & later.c.state.in_(
            SUCCESSFUL_STATES
        )
        is_dispensable = cycle.c.state.not_in(SUCCESSFUL_STATES) | exists().where(
            is_later, of_target
        )
        old = (
            select(cycle.c.id)
            .where(cycle.c.started < before.isoformat())
            .where(exists().where(is_later), is_dispensable)
            .order_by(cycle.c.started)
            .limit(limit)
        )
        statement = delete(cycle).where(cycle.c.id.in_(old))
        return db.execute(statement).rowcount

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
        drop_rows(db, scratch)
        for table in IMPORT_TABLES:
            copy_rows(db, table, job, scratch)
        generation = func.coalesce(func.max(watermark.c.generation), 0)
        db.execute(
            insert(watermark).from_select(
                ["job", "generation"],
                select(literal(scratch), generation).where(watermark.c.job == job),
            )
        )

    @transaction
    def drop_job_data(self, db: Connection, job: str) -> None:
        drop_rows(db, job)

    @transaction
    def drop_scratch_data(self, db: Connection) -> None:
        # Each scratch job has a row in this small table; the others are too large.
        scratch = select(watermark.c.job).where(watermark.c.job.like("plan:%"))
        for job in db.scalars(scratch).all():
            drop_rows(db, job)
        for table in (resource, resource_key):
            db.execute(delete(table))
