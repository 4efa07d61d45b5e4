"""The logs of local agents: bounded, with one older part beside each."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import structlog

LOG = "agent.log"
LARGEST = 10 * 1024 * 1024
"""Bytes of a log, which is then copied to `agent.log.1` and begun again."""
LOOK_SECONDS = 60.0

log = structlog.get_logger()


def shorten(file: Path, largest: int = LARGEST) -> None:
    """Begin a log that is larger anew; what it held replaces `FILE.1`.

    It is copied and cut, not renamed: the agent writes on where its file ends, and
    what Python itself says before it dies goes to the same file.
    """
    if file.stat().st_size > largest:
        shutil.copyfile(file, file.with_name(f"{file.name}.1"))
        os.truncate(file, 0)


def shorten_all(folder: Path, largest: int = LARGEST) -> None:
    """Shorten the logs of the agents in STATE/agents; one that resists stops none."""
    for file in folder.glob(f"*/{LOG}"):
        try:
            shorten(file, largest)
        except OSError as error:
            log.warning("log not shortened", file=str(file), reason=error.strerror)


async def keep_small(folder: Path) -> None:
    """Shorten them until cancelled."""
    while True:
        await asyncio.to_thread(shorten_all, folder)
        await asyncio.sleep(LOOK_SECONDS)
