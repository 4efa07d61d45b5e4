"""Import the answers of a domain's agents as source objects, page by page.

Absence proves nothing: objects that an import does not name are read by objectGUID,
deleted ones included.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypeVar

import structlog
from msgspec.structs import replace

from cloudforest.base.errors import Interrupted, Refused, Unavailable
from cloudforest.base.inputs import make_printable
from cloudforest.model.cycles import CycleKind, ImportEnd, LogEntry, Watermark
from cloudforest.model.messages import (
    Closing,
    Lookup,
    ObjectRecord,
    Record,
    SyncRequest,
    Unknown,
)
from cloudforest.program.digest import digest_program, select_attributes_to_read
from cloudforest.provisioning.run import CycleContext, read_pages

T = TypeVar("T")

log = structlog.get_logger()
BATCH = 2000
"""Objects in one request, which must fit into one message of the bus."""
INQUIRY_INTERVAL = timedelta(days=1)
MISSING_MANIFEST = (
    "a manifest of the export (`# numEntries: N`, or FILE.sha256 beside it)"
)
"""What is missing if an answer is incomplete although nothing failed."""


async def build_request(
    context: CycleContext, kind: Literal["import", "read"], **more: Any
) -> SyncRequest:
    """Return a request with the job's attributes, scope and scope bindings.

    Scratch data has no watermark, so a preview uses the bindings of the live job.
    """
    watermark = await context.store.load_watermark(context.live_read_key)
    known = watermark or Watermark(value=None, digest="", directory=None, bindings={})
    scope = context.program.scope
    named = {*scope.all_organizational_units, *scope.groups}
    return SyncRequest(
        id=uuid.uuid4().hex,
        job=context.job.name,
        domain=context.job.domain,
        kind=kind,
        scope=scope,
        attributes=select_attributes_to_read(context.program),
        bindings={dn: guid for dn, guid in known.bindings.items() if dn in named},
        directory=known.directory,
        nested=known.nested,
        **more,
    )


def require_closing(context: CycleContext, closing: Closing | None) -> Closing:
    """Return the closing of an answer; raise Interrupted if the answer is incomplete.

    Raises Refused if every agent would answer the same, so that a person must decide.
    """
    if closing is None:
        raise Interrupted(
            f'An agent of "{context.job.domain}" stopped in the middle of an answer. '
            "The next cycle asks again."
        )
    if closing.error is not None and closing.final:
        raise Refused(make_printable(closing.error))
    if closing.error is not None:
        raise Interrupted(make_printable(closing.error))
    return closing


async def read_answer(
    context: CycleContext, request: SyncRequest
) -> tuple[list[Record], Closing]:
    """Return the records of a small answer and its closing; see `require_closing`."""
    records: list[Record] = []
    closing: Closing | None = None
    async for page in context.bus.request_pages(request):
        records += page.records
        closing = page.closing
    return records, require_closing(context, closing)


async def ask_until_whole(context: CycleContext, ask: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `ask`; repeat it once if the agent stops while it answers.

    The domain's other agents can still answer: an agent whose directory failed has
    unsubscribed by then. Each call of `ask` must make its own request and generation,
    so that no part of the first answer counts as part of the second.
    Raises Interrupted if the second answer stops too, or no other agent is left.
    """
    read = context.counts.read
    try:
        return await ask()
    except Interrupted as error:
        log.warning("asking again", job=context.job.name, reason=str(error))
        context.counts.read = read
        first = error
    try:
        return await ask()
    except Interrupted:
        raise
    except Unavailable as error:
        # "No agent is left" says less than the first answer did.
        raise first from error


def count_objects(records: Sequence[Record]) -> int:
    """Return how many of the records are objects that could be read."""
    objects = [each for each in records if isinstance(each, ObjectRecord)]
    return sum(not isinstance(each, Unknown) for each in objects)


async def inquire_about_escrowed(context: CycleContext) -> None:
    """Inquire about escrowed objects, or members, whose next try is due."""
    now = context.clock()
    async for page in read_pages(
        lambda after: context.store.list_due_effects(
            context.live_read_key, now, after=after, limit=BATCH
        )
    ):
        due = [
            guid
            for each in page
            for guid in (
                (*each.add, *each.remove) if each.action == "members" else (each.id,)
            )
        ]
        await context.store.add_inquiries(context.key_name, due)


def require_same_directory(
    context: CycleContext, closing: Closing | None, directory: str | None
) -> Closing:
    closing = require_closing(context, closing)
    if closing.directory != directory:
        raise Unavailable(
            f'Two agents of "{context.job.domain}" read different domains. '
            "Bind all its agents to the same domain. The next cycle asks again."
        )
    return closing


def _unread_log_entries(
    context: CycleContext, records: Sequence[Record]
) -> list[LogEntry]:
    """Return the log entries of objects that an agent could not read.

    For an object that was never read before, nothing else shows it. A preview logs
    nothing.
    """
    return [
        LogEntry(
            time=context.clock(),
            cycle=context.cycle_id,
            job=context.job.name,
            object=each.id,
            name=each.id,
            action="read",
            status="failure",
            reason=each.reason,
        )
        for each in records
        if isinstance(each, Unknown) and each.reason and not context.is_scratch
    ]


async def _read_inquired(
    context: CycleContext, ids: Sequence[str], directory: str | None
) -> None:
    generation = await context.store.begin_import(context.key_name)
    hidden = await context.store.find_hidden_attributes(context.key_name, ids)
    prove = tuple(sorted(hidden))
    lookups = tuple(Lookup(by="guid", value=each) for each in ids)
    closing: Closing | None = None
    request = await build_request(context, "read", lookups=lookups, prove=prove)
    async for page in context.bus.request_pages(request):
        await context.store.save_answers(context.key_name, generation, page.records)
        if unread := _unread_log_entries(context, page.records):
            await context.store.save_log_entries(unread)
            context.counts.skipped += len(unread)
        context.counts.read += count_objects(page.records)
        context.report("import", context.counts.read, None)
        closing = page.closing
    ended = require_same_directory(context, closing, directory)
    await context.store.close_inquiries(
        context.key_name, generation, ids, complete=ended.complete, proven_clear=prove
    )


async def load_start_watermark(context: CycleContext) -> Watermark | None:
    """Return where an incremental import starts; None means an initial one."""
    watermark = await context.store.load_watermark(context.key_name)
    if watermark is None or watermark.value is None:
        return None
    return watermark if watermark.digest == digest_program(context.program) else None


async def _save_pages(
    context: CycleContext,
    request: SyncRequest,
    generation: int,
    start: Watermark | None,
) -> Closing:
    """Store the pages of the answer; return its closing."""
    digest = digest_program(context.program)
    resume = start or Watermark(value=None, digest=digest, directory=None, bindings={})
    closing: Closing | None = None
    async for page in context.bus.request_pages(request):
        cursor = None if page.cursor is None else replace(resume, value=page.cursor)
        await context.store.save_page(
            context.key_name, generation, page.records, cursor
        )
        context.counts.read += count_objects(page.records)
        context.report("import", context.counts.read, None)
        closing = page.closing
    return require_closing(context, closing)


def _require_same_scope(request: SyncRequest, closing: Closing) -> None:
    """Refuse an answer from another domain, or about other OUs or groups.

    Another domain has none of the job's objects. Agents check it themselves before they
    name an object; this covers one that does not.
    """
    accept = (
        "is bound to. If this is intended, accept it with "
        f"`cloudforest job restart {request.job} --reset Full`."
    )
    if request.directory not in {None, closing.directory}:
        raise Refused(
            f'The agents of "{request.domain}" read another domain than the one that '
            f'job "{request.job}" {accept}'
        )
    for dn, guid in closing.bindings.items():
        if request.bindings.get(dn, guid) != guid:
            raise Refused(
                f'"{dn}" now resolves to another object than the scope {accept}'
            )


def _build_import_end(
    context: CycleContext, start: Watermark | None, closing: Closing
) -> ImportEnd:
    """Return the end of the import, and which objects to inquire about once a day."""
    now = context.clock()
    lacks = closing.lacks or (() if closing.complete else (MISSING_MANIFEST,))
    asked = start.asked if start else now
    due = asked is None or now - asked >= INQUIRY_INTERVAL
    watermark = Watermark(
        value=closing.watermark,
        digest=digest_program(context.program),
        directory=closing.directory,
        bindings=closing.bindings,
        nested=closing.nested,
        lacks=lacks,
        asked=now if due else asked,
    )
    return ImportEnd(
        watermark=watermark,
        fully_read_types=closing.full if start else context.program.scope.types,
        is_initial=start is None,
        has_all_members=closing.complete,
        has_scope_members=closing.members,
        inquire_about=("managed" if lacks else "unknown") if due else "nobody",
    )


async def _import_once(context: CycleContext, start: Watermark | None) -> Closing:
    request = await build_request(
        context, "import", watermark=start.value if start else None
    )
    generation = await context.store.begin_import(context.key_name)
    closing = await _save_pages(context, request, generation, start)
    _require_same_scope(request, closing)
    end = _build_import_end(context, start, closing)
    await context.store.finish_import(
        context.key_name, context.job.target, generation, end
    )
    return closing


async def import_changes(context: CycleContext, start: Watermark | None) -> CycleKind:
    """Import everything, or what changed since `start`; return which of the two.

    Then read the objects with an open inquiry, of this cycle and of earlier ones, by
    objectGUID. Raises Unavailable if an answer is incomplete, or comes from another
    domain: the store keeps the pages that came, the watermark stays, and the next cycle
    asks for the rest.
    """
    await inquire_about_escrowed(context)
    closing = await ask_until_whole(context, partial(_import_once, context, start))
    read = partial(_read_inquired, context, directory=closing.directory)
    while ids := await context.store.list_inquiries(context.key_name, BATCH):
        await ask_until_whole(context, partial(read, ids))
    await context.store.forget_unlinked(context.key_name, context.job.target)
    return "incremental" if start else "initial"
