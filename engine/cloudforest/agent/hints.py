"""Hints: the service is told at once that something has changed in a domain.

They make a cycle start sooner, nothing else: the schedule finds out what they miss.
"""

from __future__ import annotations

import asyncio

import structlog

from cloudforest.base.errors import CloudforestError, CredentialRejected
from cloudforest.model.ports import Directory, ListenerBus

INTERVAL = 1.0
"""Seconds between two hints about a domain."""
PAUSE = 10.0
"""Seconds until a directory that has stopped telling is watched again."""
CREDENTIAL_PAUSE = 3600.0
"""Seconds after a refused password: each try brings the account closer to a lock."""

log = structlog.get_logger()


async def _tell(bus: ListenerBus, domain: str, changed: asyncio.Event) -> None:
    """Tell the first change at once, and those that follow together."""
    while True:
        await changed.wait()
        changed.clear()
        await bus.hint(domain)
        await asyncio.sleep(INTERVAL)


async def keep_hinting(
    bus: ListenerBus, domain: str, directory: Directory, *, missed: bool = False
) -> None:
    """Tell of changes until cancelled, or until the directory can't notice them.

    `missed`: nobody watched it for a while.
    """
    changed = asyncio.Event()
    if missed:
        changed.set()
    telling = asyncio.create_task(_tell(bus, domain, changed), name=f"tell {domain}")
    try:
        while True:
            pause = PAUSE
            try:
                async for _ in directory.watch():
                    changed.set()
            except CloudforestError as error:
                if isinstance(error, CredentialRejected):
                    pause = CREDENTIAL_PAUSE
                log.info("watching interrupted", domain=domain, reason=str(error))
            else:
                log.info("directory does not tell of changes", domain=domain)
                return
            await asyncio.sleep(pause)
            changed.set()  # Nobody saw what happened meanwhile.
    finally:
        telling.cancel()
