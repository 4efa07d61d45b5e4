"""Exports pending effects, phase by phase, through a bounded pipeline.

A batch is prepared with a few queries. Many workers send requests; one writer stores
the outcomes. No outcome is lost if one of them fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, TargetUnavailable, Unavailable
from cloudforest.model.effects import (
    PHASE_ADOPT,
    PHASE_REFERENCE,
    PHASE_REFERENCED_FIRST,
    PHASE_RETRY,
    PHASE_WRITE,
    PHASES,
    Change,
    Effect,
    Outcome,
)
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link
from cloudforest.provisioning.export.attempt import PreparedEffect, attempt_effect
from cloudforest.provisioning.export.outcomes import release_unanswered, store_outcomes
from cloudforest.provisioning.export.value_swaps import break_swaps
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.run import CycleContext

BATCH = 200
MAX_GROUP = 200
GATHER_SECONDS = 0.02
"""Seconds to wait for more results, so that one transaction stores many."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class _Pipeline(Generic[T, R]):
    """`failure` is the first error that stops all work, such as an open breaker."""

    work: Callable[[T], Awaitable[list[R]]]
    sink: Callable[[list[R]], Awaitable[None]]
    todo: asyncio.Queue[T | None]
    finished: asyncio.Queue[list[R] | None]
    failure: CloudforestError | None = None

    async def put_items(self, items: AsyncIterator[T], workers: int) -> None:
        async for item in items:
            if self.failure is not None:
                break
            await self.todo.put(item)
        for _ in range(workers):
            await self.todo.put(None)

    async def run_worker(self) -> None:
        while (item := await self.todo.get()) is not None:
            if self.failure is not None:
                continue
            try:
                await self.finished.put(await self.work(item))
            except CloudforestError as error:
                self.failure = error

    async def write_groups(self) -> None:
        """Pass results to the sink in groups that arrive within `GATHER_SECONDS`.

        The results of one item stay together: one transaction stores them.
        """
        ended = False
        while not ended:
            group: list[R] = []
            results = await self.finished.get()
            await asyncio.sleep(GATHER_SECONDS)
            while results is not None:
                group += results
                if len(group) >= MAX_GROUP or self.finished.empty():
                    break
                results = self.finished.get_nowait()
            ended = results is None
            if group:
                await self.sink(group)


def _unwrap_error(group: ExceptionGroup[Exception]) -> Exception:
    """Return the error of `items` or `sink`; a bug stays in its group."""
    known, others = group.split(CloudforestError)
    if known is None or others is not None:
        return group
    error: Exception = known
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def run_pipeline(
    items: AsyncIterator[T],
    work: Callable[[T], Awaitable[list[R]]],
    sink: Callable[[list[R]], Awaitable[None]],
    *,
    workers: int,
) -> None:
    """Work on all items; on a CloudforestError, stop and raise it.

    Items in progress are finished and their results stored first, unless `sink` failed.
    """
    pipeline: _Pipeline[T, R] = _Pipeline(
        work, sink, asyncio.Queue(2 * workers), asyncio.Queue(2 * MAX_GROUP)
    )
    try:
        async with asyncio.TaskGroup() as writing:
            writing.create_task(pipeline.write_groups())
            async with asyncio.TaskGroup() as working:
                working.create_task(pipeline.put_items(items, workers))
                for _ in range(workers):
                    working.create_task(pipeline.run_worker())
            await pipeline.finished.put(None)
    except ExceptionGroup as group:
        raise _unwrap_error(group) from None
    if pipeline.failure is not None:
        raise pipeline.failure


async def _mark_sent(
    context: CycleContext, effects: Sequence[Effect], *, sent: bool
) -> list[Effect]:
    """Store which creations may reach the target, before they are sent.

    If the answer is lost, the next cycle looks for them in the target.
    """
    creations = [each.key for each in effects if each.is_creation]
    await context.store.mark_sent(context.key_name, creations, sent=sent)
    return [replace(each, sent=sent) if each.is_creation else each for each in effects]


async def _attach_references(
    context: CycleContext, effects: Sequence[Effect]
) -> list[Effect]:
    """Add to creations the references that would be written after them."""
    keys = [f"{each.id}/r" for each in effects if each.is_creation]
    waiting = await context.store.load_effects(context.key_name, keys) if keys else {}
    references = {
        each.id: each.references
        for each in waiting.values()
        if each.state == "pending" and each.action == "reference"
    }
    return [
        replace(each, references=references[each.id]) if each.id in references else each
        for each in effects
    ]


async def _keep_leaver_memberships(
    context: CycleContext, effects: Sequence[Effect]
) -> list[Effect]:
    """Keep the memberships of leavers until they have lost their access."""
    removed = [guid for each in effects for guid in each.remove]
    unfinished = (
        await context.store.load_effects(context.key_name, removed) if removed else {}
    )
    kept = {guid for guid, each in unfinished.items() if each.because is not None}
    if not kept:
        return list(effects)
    return [
        replace(each, remove=tuple(guid for guid in each.remove if guid not in kept))
        for each in effects
    ]


def _prepare_effect(
    effect: Effect, link: Link | None, resource_ids: Mapping[str, str]
) -> PreparedEffect:
    """Include the references of a creation if all referenced resources exist now."""
    if not effect.is_creation or not effect.references:
        replaces_link = effect.action in {"create", "adopt"}
        if link is not None and not link.checked and replaces_link:
            link = link if link.resource == effect.resource else None
        return PreparedEffect(effect, link, resource_ids)
    creation = replace(effect, references=())
    changes = tuple(
        Change(path=each.path, after=resource_ids[each.to])
        for each in effect.references
        if each.to and each.to in resource_ids
    )
    if len(changes) < len(effect.references):
        return PreparedEffect(creation, link, resource_ids)
    creation = replace(creation, changes=(*effect.changes, *changes))
    return PreparedEffect(creation, link, resource_ids, includes_references=True)


async def _prepare_effects(
    context: CycleContext, phase: int
) -> AsyncIterator[PreparedEffect]:
    """Yield the pending effects of a phase, prepared."""
    async for batch in context.read_pending_effects(phase, BATCH):
        effects = await _mark_sent(context, batch, sent=True)
        if phase == PHASE_WRITE:
            effects = await _attach_references(context, effects)
        if phase == PHASE_REFERENCE:
            effects = await _keep_leaver_memberships(context, effects)
        links = await context.load_links([each.id for each in effects])
        referenced = [
            guid for each in effects for guid in (*each.add, *each.remove)
        ] + [
            guid
            for each in effects
            for change in each.references
            if (guid := change.to or change.unless)
        ]
        resource_ids = await context.load_resource_ids(referenced)
        for effect in effects:
            yield _prepare_effect(effect, links.get(effect.id), resource_ids)


@dataclass
class _Export:
    """The export of one cycle.

    `swapped_keys` are effects of value swaps already broken: once is enough.
    `settled_count` is for the progress.
    """

    context: CycleContext
    mappers: Mapping[ObjectType, Mapper]
    swapped_keys: set[str] = field(default_factory=set)
    settled_count: int = 0

    async def send_phase(self, phase: int, *, is_last: bool = True) -> None:
        async def sink(outcomes: list[Outcome]) -> None:
            await store_outcomes(self.context, outcomes)
            self.settled_count += sum(each.state != "pending" for each in outcomes)
            self.context.report("export", self.settled_count, None)

        await run_pipeline(
            _prepare_effects(self.context, phase),
            partial(attempt_effect, self.context, self.mappers, is_last=is_last),
            sink,
            workers=self.context.profile.concurrency,
        )

    async def retry_conflicts(self) -> None:
        """Send the effects in conflict until no more values become free."""
        while await self._has_conflicts():
            before = self.settled_count
            await self.send_phase(PHASE_RETRY, is_last=False)
            if self.settled_count == before:
                broken = await break_swaps(self.context, self._list_conflicts)
                self.swapped_keys |= broken
                if not broken:
                    break
        await self.send_phase(PHASE_RETRY)

    async def _list_conflicts(self) -> AsyncIterator[list[Effect]]:
        """Yield the effects in conflict, except those of broken swaps."""
        async for batch in self.context.read_pending_effects(PHASE_RETRY, BATCH):
            yield [each for each in batch if each.key not in self.swapped_keys]

    async def _has_conflicts(self) -> bool:
        async for _ in self.context.read_pending_effects(PHASE_RETRY, 1):
            return True
        return False


async def export_effects(context: CycleContext) -> None:
    """Write the outbox to the target; count what was written in `context.counts`.

    Raises TargetUnavailable if the target is down. The remaining effects stay pending,
    and their creations did not reach the target (`model.ports.target.Target.create`).
    If the store is down, they may have: the next cycle looks for them in the target.
    """
    context.counts.forget_writes()
    export = _Export(context, build_mappers(context.program))
    try:
        for phase in PHASES:
            if phase == PHASE_RETRY:
                await export.retry_conflicts()
            else:
                await export.send_phase(phase)
    except CloudforestError as error:
        if isinstance(error, Unavailable) and not isinstance(error, TargetUnavailable):
            raise  # the store failed
        for phase in (PHASE_REFERENCED_FIRST, PHASE_WRITE, PHASE_ADOPT):
            async for batch in context.read_pending_effects(phase, BATCH):
                await _mark_sent(context, batch, sent=False)
        # Requests without an answer say nothing about their objects.
        await release_unanswered(context, error)
        raise
    await context.store.close_stages(context.job.name, context.clock())
