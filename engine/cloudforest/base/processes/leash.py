"""A child on a leash: it can't outlive the process that started it.

`python -m cloudforest.base.processes.leash [--parent PID] COMMAND…` asks the kernel to
kill it when its parent dies (prctl(2), PR_SET_PDEATHSIG; Linux only), then becomes
COMMAND.
The kernel means the *thread* that started the child, so start it from one that stays.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def leashed(command: Sequence[str]) -> list[str]:
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
        sys.exit(
            "usage: python -m cloudforest.base.processes.leash [--parent PID] COMMAND…"
        )
    _hold(parent)
    os.execvp(command[0], command)  # noqa: S606 - a shell is what we don't want


def _hold(parent: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before the kernel knew of our wish.
    if os.getppid() != parent:
        sys.exit("The parent process has ended.")


if __name__ == "__main__":
    main(sys.argv[1:])
