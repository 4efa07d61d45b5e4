"""Child processes that cannot outlive their parent, and how they end.

`python -m cloudforest.base.processes --parent PID COMMAND…` asks the kernel to kill it
when its parent dies (prctl(2), PR_SET_PDEATHSIG; Linux only), then becomes COMMAND.
The kernel watches the *thread* that started the child, so start it from one that stays.
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

END_SECONDS = 10.0
T = TypeVar("T")
PR_SET_PDEATHSIG = 1


def leash_command(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command` until this process dies."""
    # -P: the child must not import modules from the current folder.
    return [
        *(sys.executable, "-P", "-m", __name__),
        *("--parent", str(os.getpid())),
        *command,
    ]


def main(arguments: Sequence[str]) -> None:
    match list(arguments):
        case ["--parent", parent, *command] if command:
            _die_with_parent(int(parent))
        case _:
            sys.exit("usage: python -m cloudforest.base.processes --parent PID …")
    os.execvp(command[0], command)  # noqa: S606 - without a shell


def _die_with_parent(parent: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the call above.
    if os.getppid() != parent:
        sys.exit("The parent process has ended.")


async def end_process(child: Process, *, seconds: float = END_SECONDS) -> None:
    """Terminate a child, kill it after `seconds`, and wait for its end.

    Reads its output meanwhile: asyncio's `wait` returns only at the end of the pipes,
    which a full pipe never reaches.
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


async def await_cancellable(work: Awaitable[T]) -> T:
    """Await `work`, then raise a cancellation that got lost meanwhile.

    `asyncio.wait_for` before Python 3.12 drops one that arrives together with the
    result (bpo-37658); nats-py drops some on purpose. The task would continue, and the
    one that cancelled it would wait forever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
