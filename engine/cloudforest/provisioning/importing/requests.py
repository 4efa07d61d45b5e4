"""What a job asks of the agents of its domain."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import structlog

from cloudforest.base.errors import Interrupted, Refused, Unavailable
from cloudforest.model.messages import Closing, SyncRequest
from cloudforest.model.program import ScopeProgram
from cloudforest.program.digest import attributes_to_read
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
