"""Import: from the agents' answers to source rows, page by page.

What a job asks of the agents of its domain.

Asking: what became of objects that an import said nothing of.

Absence proves nothing: each is asked for by objectGUID, deleted ones included.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypeVar

import structlog

from cloudforest.base.errors import Interrupted, Refused, Unavailable
from cloudforest.model.cycles import CycleKind, ImportEnd, LogEntry, Watermark
from cloudforest.model.effects import Effect
from cloudforest.model.messages import (
    Closing,
    Lookup,
    ObjectRecord,
    Page,
    Record,
    SyncRequest,
    Unknown,
)
from cloudforest.model.program import ScopeProgram
from cloudforest.program.digest import attributes_to_read, program_digest
from cloudforest.provisioning.run import Run

T = TypeVar("T")

log = structlog.get_logger()


def _bound(scope: ScopeProgram, bindings: dict[str, str]) -> dict[str, str]:
    named = {*scope.places, *scope.groups}
    return {dn: guid for dn, guid in bindings.items() if dn in named}


async def request(
    run: Run, kind: Literal["import", "read"], **more: Any
) -> SyncRequest:
    """Return a request with what the job reads, and what its scope was bound to.

    A plan's scratch rows have no watermark: it is bound as the job is.
    """
    held = await run.store.watermark(run.job.name)
    return SyncRequest(
        id=uuid.uuid4().hex,
        job=run.job.name,
        domain=run.job.domain,
        kind=kind,
        scope=run.program.scope,
        attributes=attributes_to_read(run.program),
        bindings=_bound(run.program.scope, held.bindings) if held else {},
        directory=held.directory if held else None,
        nested=held.nested if held else (),
        **more,
    )


def require_last_word(run: Run, closing: Closing | None) -> Closing:
    """Return how an answer ended; raise Interrupted when it did not end well.

    Refused where every agent would say the same, and a person has to decide.
    """
    if closing is None:
        raise Interrupted(
            f"The agents of {run.job.domain} stopped in the middle of an answer; "
            "the next cycle asks again."
        )
    if closing.error is not None and closing.final:
        raise Refused(closing.error)
    if closing.error is not None:
        raise Interrupted(closing.error)
    return closing


async def whole_answer(run: Run, ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` does; it is done anew, once, when the agent broke off.

    The domain's other agents are still there to be asked: one whose directory failed
    listens no more when it says so. `ask` has to make a request and a generation of its
    own each time, so that nothing of the first answer passes for a part of the second.
    Raises Interrupted when that one breaks off as well, or nobody else is there.
    """
    read = run.counts.read
    try:
        return await ask()
    except Interrupted as error:
        log.warning("asking again", job=run.job.name, reason=str(error))
        run.counts.read = read
        return await _ask_again(ask, error)


async def _ask_again(ask: Callable[[], Awaitable[T]], first: Interrupted) -> T:
    try:
        return await ask()
    except Interrupted:
        raise
    except Unavailable as error:
        # That nobody is left says less than what the first one said.
        raise first from error


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


DAY = timedelta(days=1)
MANIFEST = "a manifest of the export (`# numEntries: N`, or FILE.sha256 beside it)"
"""What an answer lacks that is not complete, though nothing went wrong."""


async def starting_point(run: Run) -> Watermark | None:
    """Return where an incremental import may start; None asks for everything."""
    held = await run.store.watermark(run.rows)
    if held is None or held.value is None:
        return None
    return held if held.digest == program_digest(run.program) else None


def _cursor(page: Page, start: Watermark | None, digest: str) -> Watermark | None:
    if page.cursor is None:
        return None
    return Watermark(
        value=page.cursor,
        digest=digest,
        directory=start.directory if start else None,
        bindings=start.bindings if start else {},
        nested=start.nested if start else (),
        lacks=start.lacks if start else (),
        asked=start.asked if start else None,
    )


async def _read(
    run: Run, asked: SyncRequest, generation: int, start: Watermark | None
) -> Closing:
    """Store the answer's pages; return its last word."""
    digest = program_digest(run.program)
    closing: Closing | None = None
    async for page in run.bus.ask(asked):
        cursor = _cursor(page, start, digest)
        await run.store.save_page(run.rows, generation, page.records, cursor)
        run.counts.read += objects(page.records)
        run.progress("import", run.counts.read)
        closing = page.closing
    return require_last_word(run, closing)


def _require_same_bindings(asked: SyncRequest, closing: Closing) -> None:
    """Refuse an answer about other OUs or groups than were asked for by objectGUID."""
    for dn, guid in closing.bindings.items():
        if asked.bindings.get(dn, guid) != guid:
            raise Refused(
                f"{dn} now resolves to another object than the one that the scope was "
                "bound to; if that is meant, name it anew in the scope and apply."
            )


def _require_same_domain(asked: SyncRequest, closing: Closing) -> None:
    """Refuse an answer of another domain: none of the job's objects would be there.

    An agent says so before it names anybody; this is for one that does not.
    """
    if asked.directory not in {None, closing.directory}:
        raise Refused(
            f"The agents of {asked.domain} read another domain than the one that the "
            f"job {asked.job} was bound to; if that is meant, `cloudforest job restart "
            f"{asked.job} --reset Full` accepts it."
        )


def _end(run: Run, start: Watermark | None, closing: Closing) -> ImportEnd:
    """Return what the import ends at, and who is asked for once a day."""
    now = run.clock()
    lacks = closing.lacks or (() if closing.complete else (MANIFEST,))
    asked = start.asked if start else now
    due = asked is None or now - asked >= DAY
    watermark = Watermark(
        value=closing.watermark,
        digest=program_digest(run.program),
        directory=closing.directory,
        bindings=closing.bindings,
        nested=closing.nested,
        lacks=lacks,
        asked=now if due else asked,
    )
    return ImportEnd(
        watermark=watermark,
        full=closing.full if start else run.program.scope.types,
        whole=start is None,
        complete=closing.complete,
        members=closing.members,
        again=("managed" if lacks else "unknown") if due else "nobody",
    )


async def _import(run: Run, start: Watermark | None) -> tuple[CycleKind, Closing]:
    asked = await request(run, "import", watermark=start.value if start else None)
    generation = await run.store.begin_import(run.rows, run.id)
    closing = await _read(run, asked, generation, start)
    _require_same_domain(asked, closing)
    _require_same_bindings(asked, closing)
    end = _end(run, start, closing)
    await run.store.finish_import(run.rows, run.job.target, generation, end)
    return "incremental" if start else "initial", closing


async def import_changes(run: Run, start: Watermark | None) -> CycleKind:
    """Import everything, or what changed since `start`; return which of them it was.

    Whoever must not be judged by silence is then asked for by objectGUID. Raises
    Unavailable when an answer is not whole: what came is kept, the watermark of a
    broken import stays where it was, and what was not answered is asked again.
    """
    await ask_for_escrowed(run)
    kind, closing = await whole_answer(run, partial(_import, run, start))
    await ask(run, closing.directory)
    await run.store.forget_unlinked(run.rows, run.job.target)
    return kind
