"""Import: from the agents' answers to source rows, page by page."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from cloudforest.base.errors import Refused
from cloudforest.model.messages import Closing, Page, SyncRequest
from cloudforest.model.provisioning import CycleKind, ImportEnd, Watermark
from cloudforest.program.digest import program_digest
from cloudforest.provisioning.importing.asking import ask, ask_for_escrowed, objects
from cloudforest.provisioning.importing.requests import (
    request,
    require_last_word,
    whole_answer,
)
from cloudforest.provisioning.run import Run

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
