"""Stages every effect that an exceeded budget counts; the rest stays pending.

The digest of a stage, before there is one: a plan shows it, a cycle stages by it.

Released stages: read again first; what is no longer wanted is moot.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as dataclasses_replace
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudforest.model.cycles import LogEntry, count
from cloudforest.model.effects import (
    PHASES,
    Effect,
    members_named,
    membership_key,
    sends,
    wish,
)
from cloudforest.model.stages import Stage, StagedEffect, Tripped
from cloudforest.provisioning.evaluation.guard import check
from cloudforest.provisioning.evaluation.state import Evaluation, note, store_log
from cloudforest.provisioning.log_entries import names_of
from cloudforest.provisioning.run import Run

BATCH = 500


@dataclass
class Content:
    """What is digested, and counted by action, of the effects that a budget stages.

    `holder` is another exceeded budget, whose stage has those effects that both count.
    """

    trip: Tripped
    sum: Any
    holder: str | None = None
    what: Counter[str] = field(default_factory=Counter)

    def add(self, effect: Effect) -> None:
        said = (effect.key, effect.action, wish(effect))
        self.sum.update(msgspec.json.encode(said))
        self.what["memberRemove" if effect.remove else effect.action] += 1

    @property
    def tripped(self) -> Tripped:
        return replace(self.trip, digest=self.sum.hexdigest())


def _content(trip: Tripped) -> Content:
    return Content(trip, hashlib.sha256(f"{trip.job}\n{trip.guard}\n".encode()))


async def outbox_digest(run: Run) -> str:
    """Return the digest of all that the cycle is to write."""
    content = hashlib.sha256()
    for phase in PHASES:
        after = ""
        while batch := await run.store.pending(
            run.rows, run.id, phase, after=after, limit=BATCH
        ):
            for each in batch:
                content.update(wish(each).encode())
            after = batch[-1].key
    return content.hexdigest()


async def candidates(run: Run) -> AsyncIterator[list[Effect]]:
    """Yield what is to be written and nobody released, in one order every time."""
    for phase in PHASES:
        after = ""
        while batch := await run.store.pending(
            run.rows, run.id, phase, after=after, limit=BATCH
        ):
            yield [each for each in batch if each.stage is None]
            after = batch[-1].key


def guard_of(effect: Effect, exceeded: Mapping[str, Tripped]) -> str | None:
    """Return the first of the effect's budgets that is exceeded."""
    return next((each for each in effect.guards if each in exceeded), None)


def singles(effect: Effect) -> list[Effect]:
    """Return what is decided one by one: of a change of members, each removal."""
    if effect.action != "members":
        return [effect]
    return [
        replace(effect, key=membership_key(effect.id, each), add=(), remove=(each,))
        for each in effect.remove
    ]


async def contents(run: Run, exceeded: Mapping[str, Tripped]) -> dict[str, Content]:
    """Read what each exceeded budget would stage."""
    made = {guard: _content(trip) for guard, trip in exceeded.items()}
    async for batch in candidates(run):
        for effect in batch:
            guard = guard_of(effect, exceeded)
            if guard is None:
                continue
            for single in singles(effect):
                made[guard].add(single)
            for other in made.keys() & set(effect.guards) - {guard}:
                made[other].holder = guard
    return made


def tripped_of(made: Mapping[str, Content]) -> dict[str, Tripped]:
    """Return what is exceeded, each with the stage that a decision is about."""
    trips = {guard: each.tripped for guard, each in made.items()}
    for guard, each in made.items():
        if each.holder is not None and not each.what:
            trips[guard] = replace(trips[guard], digest=trips[each.holder].digest)
    return trips


def _take_back(evaluation: Evaluation, effect: Effect, rest: Effect | None) -> None:
    """Count no longer what is staged, but what of it goes on."""
    counts = evaluation.run.counts
    count(counts, effect, by=-1)
    evaluation.requests -= sends(effect)
    if rest is not None:
        count(counts, rest)
        evaluation.requests += sends(rest)


def _rest(effect: Effect) -> Effect | None:
    """Return what goes on of a change of members whose removals are staged."""
    if effect.action != "members" or not effect.add:
        return None
    return replace(effect, remove=(), guards=())


def _staged(
    evaluation: Evaluation, effect: Effect, trip: Tripped, name: str
) -> list[Effect]:
    """Return what takes the place of an effect in the outbox."""
    rest = _rest(effect)
    _take_back(evaluation, effect, rest)
    parts = [
        replace(each, state="staged", stage=trip.digest, reason=trip.reason)
        for each in singles(effect)
    ]
    for part in parts:
        note(evaluation, part, name, "staged")
    evaluation.run.counts.staged += len(parts)
    return [*parts, rest] if rest else parts


async def _stage_batch(
    evaluation: Evaluation, effects: Sequence[Effect], exceeded: Mapping[str, Tripped]
) -> None:
    run = evaluation.run
    names = await names_of(run, effects)
    saved: list[Effect] = []
    for effect in effects:
        trip = exceeded[str(guard_of(effect, exceeded))]
        if trip.digest in run.allowed:
            saved.append(replace(effect, stage=trip.digest))
        else:
            saved += _staged(evaluation, effect, trip, names[effect.id])
    kept = {each.key for each in saved}
    await run.store.save_effects(run.rows, run.id, saved)
    gone = [each.key for each in effects if each.key not in kept]
    await run.store.remove_effects(run.rows, gone)
    await store_log(evaluation)


async def _save(evaluation: Evaluation, content: Content) -> None:
    run, trip = evaluation.run, content.tripped
    if run.is_scratch or not content.what:
        return
    await run.store.save_stage(
        Stage(
            id=trip.digest,
            job=trip.job,
            guard=trip.guard,
            cycle=run.id,
            created=evaluation.now,
            limit=trip.limit,
            effects=sum(content.what.values()),
            what=dict(content.what),
        )
    )


async def guard(evaluation: Evaluation, guards: Collection[str]) -> tuple[Tripped, ...]:
    """Stage what these budgets do not bear; return those that are exceeded.

    What was allowed beforehand, from a plan, is not staged: its digest is known. It is
    a stage that was released all the same, so that its allowance ends with it.
    """
    exceeded = await check(evaluation, guards)
    if not exceeded:
        return ()
    made = await contents(evaluation.run, exceeded)
    trips = tripped_of(made)
    for content in made.values():
        if content.tripped.digest in evaluation.run.allowed:
            # Should we die before the effects are stored, the allowance still ends.
            await _save(evaluation, content)
    async for batch in candidates(evaluation.run):
        counted = [each for each in batch if guard_of(each, trips) is not None]
        await _stage_batch(evaluation, counted, trips)
    for content in made.values():
        await _save(evaluation, content)
    allowed = evaluation.run.allowed
    return tuple(each for each in trips.values() if each.digest not in allowed)


MOOT = "moot: it was released, and is no longer wanted as it was staged."


async def _ask_again(run: Run, stage: Stage) -> None:
    """Have the objects of a stage read before anything of it is written."""
    after = ""
    while held := await run.store.staged_effects(stage.id, after, BATCH):
        ids = {id_ for each in held for id_ in (each.id, *members_named(each.key))}
        await run.store.add_inquiries(run.rows, sorted(ids))
        after = held[-1].key


async def with_allowances(run: Run) -> Run:
    """Return the run with the stages that may be written; have their objects read."""
    given = await run.store.allowances(run.clock())
    allowed = frozenset(each.stage for each in given)
    if allowed and not run.is_scratch and run.only is None:
        for stage in await run.store.stages(run.job.name):
            if stage.id in allowed:
                await _ask_again(run, stage)
    return dataclasses_replace(run, allowed=allowed)


def _entry(evaluation: Evaluation, stage: Stage, each: StagedEffect) -> LogEntry:
    return LogEntry(
        time=evaluation.now,
        cycle=evaluation.run.id,
        job=stage.job,
        object=each.id,
        name=each.id,
        action=each.action,
        status="skipped",
        reason=MOOT,
    )


async def drop_moot(evaluation: Evaluation) -> None:
    """Log and forget what was released and this cycle does not want any more."""
    run = evaluation.run
    if run.is_scratch or run.only is not None:
        return
    for id_, stage in evaluation.standing.waiting.items():
        while id_ in run.allowed and (
            moot := await run.store.unwanted(run.job.name, run.id, id_, BATCH)
        ):
            await run.store.forget_staged(
                id_,
                [each.key for each in moot],
                [_entry(evaluation, stage, each) for each in moot],
            )
