"""Import: from the agents' answer to source rows, page by page."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from cloudforest.base.errors import Refused, Unavailable
from cloudforest.model.messages import (
    Closing,
    Members,
    Page,
    Record,
    SyncRequest,
    Unknown,
)
from cloudforest.model.provisioning import CycleKind, Watermark
from cloudforest.program.digest import attributes_to_read, program_digest
from cloudforest.provisioning.run import Run


async def starting_point(run: Run) -> Watermark | None:
    """Return where an incremental import may start; None asks for everything."""
    held = await run.store.watermark(run.rows)
    if held is None or held.value is None:
        return None
    return held if held.digest == program_digest(run.program) else None


def _request(run: Run, start: Watermark | None) -> SyncRequest:
    return SyncRequest(
        id=uuid.uuid4().hex,
        job=run.job.name,
        domain=run.job.domain,
        kind="import",
        scope=run.program.scope,
        attributes=attributes_to_read(run.program),
        watermark=start.value if start else None,
    )


def _objects(records: Iterable[Record]) -> int:
    return sum(not isinstance(each, Members | Unknown) for each in records)


def _cursor(page: Page, start: Watermark | None, digest: str) -> Watermark | None:
    if page.cursor is None:
        return None
    return Watermark(
        value=page.cursor,
        digest=digest,
        directory=start.directory if start else None,
        bindings=start.bindings if start else {},
    )


async def _read(run: Run, generation: int, start: Watermark | None) -> Closing:
    """Store the answer's pages; return its last word."""
    digest = program_digest(run.program)
    closing: Closing | None = None
    async for page in run.bus.ask(_request(run, start)):
        cursor = _cursor(page, start, digest)
        await run.store.save_page(run.rows, generation, page.records, cursor)
        run.counts.read += _objects(page.records)
        run.progress("import", run.counts.read)
        closing = page.closing
    if closing is None:
        raise Unavailable(
            f"The agents of {run.job.domain} stopped in the middle of an answer; "
            "the next cycle asks again."
        )
    return closing


def _require_complete(run: Run, closing: Closing) -> None:
    if closing.error is not None:
        raise Unavailable(closing.error)
    if not closing.complete:
        raise Unavailable(
            f"The directory of {run.job.domain} did not say all that was asked; "
            "the next cycle asks again."
        )


def _require_same_bindings(held: Watermark | None, closing: Closing) -> None:
    for dn, guid in closing.bindings.items():
        if held is not None and held.bindings.get(dn, guid) != guid:
            raise Refused(
                f"{dn} now resolves to another object than the one that the scope was "
                "bound to; if that is meant, name it anew in the scope and apply."
            )


def _moved(start: Watermark, closing: Closing) -> bool:
    """Tell whether the answer rests on something else than where we started."""
    if start.directory is None:
        return False
    return (start.directory, start.bindings) != (closing.directory, closing.bindings)


async def import_changes(run: Run, start: Watermark | None) -> CycleKind:
    """Import everything, or what changed since `start`; return which of them it was.

    Raises Unavailable when the answer is not whole: what came is kept, and the
    watermark stays where it was.
    """
    held = await run.store.watermark(run.rows)
    generation = await run.store.begin_import(run.rows, run.id)
    closing = await _read(run, generation, start)
    _require_complete(run, closing)
    _require_same_bindings(held, closing)
    if start is not None and _moved(start, closing):
        run.counts.read = 0
        return await import_changes(run, None)
    ended = Watermark(
        value=closing.watermark,
        digest=program_digest(run.program),
        directory=closing.directory,
        bindings=closing.bindings,
    )
    await run.store.finish_import(run.rows, generation, ended, full=start is None)
    return "incremental" if start else "initial"
