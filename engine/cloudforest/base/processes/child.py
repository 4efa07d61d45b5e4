"""The end of a child process."""

from __future__ import annotations

from asyncio import timeout
from asyncio.subprocess import Process
from contextlib import suppress

PATIENCE = 10.0


async def end(child: Process, *, patience: float = PATIENCE) -> None:
    """Ask it to end, and make it end after `patience` seconds; return when it has.

    What it says meanwhile is read: asyncio's `wait` does not return before the pipes
    are at their end, and a full one that nobody reads never is.
    """
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with timeout(patience):
            await child.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.communicate()
