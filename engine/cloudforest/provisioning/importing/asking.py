"""Asking: what became of objects that an import said nothing of.

Absence proves nothing: each is asked for by objectGUID, deleted ones included.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import Closing, Lookup, ObjectRecord, Record, Unknown
from cloudforest.model.provisioning import Effect, LogEntry
from cloudforest.provisioning.importing.requests import (
    request,
    require_last_word,
    whole_answer,
)
from cloudforest.provisioning.run import Run

BATCH = 2000
"""Objects that one request asks for; it has to fit into one message of the bus."""


def objects(records: Sequence[Record]) -> int:
    """Count the objects that were read."""
    read = (isinstance(each, ObjectRecord) for each in records)
    return sum(read) - sum(isinstance(each, Unknown) for each in records)


def _named(effect: Effect) -> tuple[str, ...]:
    """Return whose state decides: a membership's is the member's."""
    return (*effect.add, *effect.remove) if effect.action == "members" else (effect.id,)


async def ask_for_escrowed(run: Run) -> None:
    """Have the objects asked for whose next try is due: each is read again for it."""
    now, after = run.clock(), ""
    while page := await run.store.due(run.job.name, now, after=after, limit=BATCH):
        due = [guid for effect in page for guid in _named(effect)]
        await run.store.add_inquiries(run.rows, due)
        after = page[-1].key


def require_end(run: Run, closing: Closing | None, directory: str | None) -> Closing:
    closing = require_last_word(run, closing)
    if closing.directory != directory:
        raise Unavailable(
            f"Two agents of {run.job.domain} read two different domains; see that all "
            "of them are bound to the same one. The next cycle asks again."
        )
    return closing


def _unread(run: Run, records: Sequence[Record]) -> list[LogEntry]:
    """Return what the log says of objects that can't be read; a plan leaves no trace.

    One that was never read before has no row that would show it.
    """
    return [
        LogEntry(
            time=run.clock(),
            cycle=run.id,
            job=run.job.name,
            object=each.id,
            name=each.id,
            action="read",
            status="failure",
            reason=each.reason,
        )
        for each in records
        if isinstance(each, Unknown) and each.reason and not run.is_scratch
    ]


async def _ask(run: Run, ids: Sequence[str], directory: str | None) -> None:
    generation = await run.store.begin_import(run.rows, run.id)
    prove = tuple(sorted(await run.store.doubted(run.rows, ids)))
    lookups = tuple(Lookup(by="guid", value=each) for each in ids)
    closing: Closing | None = None
    asked = await request(run, "read", lookups=lookups, prove=prove)
    async for page in run.bus.ask(asked):
        await run.store.save_answers(run.rows, generation, page.records)
        if unread := _unread(run, page.records):
            await run.store.log(unread)
            run.counts.skipped += len(unread)
        run.counts.read += objects(page.records)
        run.progress("import", run.counts.read)
        closing = page.closing
    ended = require_end(run, closing, directory)
    await run.store.finish_asking(
        run.rows, generation, ids, complete=ended.complete, proved=prove
    )


async def ask(run: Run, directory: str | None) -> None:
    """Ask for all that must be asked, this cycle's and what an earlier one left.

    Raises Unavailable when an answer is not whole, or comes from another domain than
    `directory`; what is not answered is asked by the next cycle.
    """
    while ids := await run.store.inquiries(run.rows, BATCH):
        await whole_answer(run, partial(_ask, run, ids, directory))
