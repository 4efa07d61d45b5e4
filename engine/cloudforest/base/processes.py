"""A child on a leash: it can't outlive the process that started it.

`python -m cloudforest.base.processes [--parent PID] COMMAND…` asks the kernel to
kill it when its parent dies (prctl(2), PR_SET_PDEATHSIG; Linux only), then becomes
COMMAND.
The kernel means the *thread* that started the child, so start it from one that stays.

The end of a child process.

Cancellations that libraries drop, raised all the same.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from asyncio import timeout
from asyncio.subprocess import Process
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import TypeVar

PR_SET_PDEATHSIG = 1


def leash_command(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` on a leash held by this process."""
    # -P: the current folder must not lend its modules to the child.
    return [
        *(sys.executable, "-P", "-m", __name__),
        *("--parent", str(os.getpid())),
        *command,
    ]


def main(arguments: Sequence[str]) -> None:
    parent = os.getppid()
    command = list(arguments)
    if command[:1] == ["--parent"]:
        parent = int(command[1])
        command = command[2:]
    if not command:
        sys.exit("usage: python -m cloudforest.base.processes [--parent PID] COMMAND…")
    _die_with_parent(parent)
    os.execvp(command[0], command)  # noqa: S606 - a shell is what we don't want


def _die_with_parent(parent: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the kernel knew of our wish.
    if os.getppid() != parent:
        sys.exit("The parent process has ended.")


if __name__ == "__main__":
    main(sys.argv[1:])


END_SECONDS = 10.0


async def end_process(child: Process, *, seconds: float = END_SECONDS) -> None:
    """Ask it to end, and make it end after `patience` seconds; return when it has.

    What it says meanwhile is read: asyncio's `wait` does not return before the pipes
    are at their end, and a full one that nobody reads never is.
    """
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with timeout(seconds):
            await child.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.communicate()


T = TypeVar("T")


async def await_cancellable(work: Awaitable[T]) -> T:
    """Await `work`; raise a cancellation that came meanwhile and did not come through.

    `asyncio.wait_for` before Python 3.12 drops one that comes together with what it
    waits for (bpo-37658); nats-py drops some on purpose. Whoever was to end would then
    go on, and whoever ends it wait for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result
