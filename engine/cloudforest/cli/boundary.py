"""The one place that catches everything and turns it into an exit code.

0 done · 1 failed, or documents are wrong · 2 changes pending · 3 blocked by a guard ·
4 done, but some objects are in escrow · 5 something is unreachable · 64 usage ·
70 a bug, with a report · 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from enum import IntEnum

from typer.exceptions import Abort, TyperException

from cloudforest.base.errors import CloudforestError


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    CHANGES = 2
    BLOCKED = 3
    ESCROW = 4
    UNREACHABLE = 5
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130


_PRECEDENCE = (
    Exit.INTERRUPTED,
    Exit.BUG,
    Exit.USAGE,
    Exit.FAILED,
    Exit.UNREACHABLE,
    Exit.BLOCKED,
    Exit.ESCROW,
    Exit.CHANGES,
    Exit.DONE,
)


def worst(*codes: int) -> int:
    """Return the one exit code that stands for several."""
    return min((Exit(code) for code in codes), key=_PRECEDENCE.index, default=Exit.DONE)


def run(
    command: Callable[[], int | None], *, worded: Callable[[str], str] = str
) -> int:
    """Run a command to its exit code; only a bug writes a report.

    What an error tells to do is `worded` for whoever called this command.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(command() or Exit.DONE)
    except _interruptions():
        return _say("Interrupted.", Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - this is the boundary
        said, code = _told(_alone(error))
        return _say(worded(said), code)


def _interruptions() -> tuple[type[BaseException], ...]:
    """Return what ends a command early; asyncio is there if the command uses it."""
    found = sys.modules.get("asyncio")
    return (KeyboardInterrupt, Abort, *([found.CancelledError] if found else ()))


def _interrupt(_number: int, _frame: object) -> None:
    """End as for Ctrl-C: asyncio cancels what runs, and children are ended gently."""
    signal.raise_signal(signal.SIGINT)


def _alone(error: Exception) -> Exception:
    """Return what a group of tasks failed for, if that was one thing."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _told(error: Exception) -> tuple[str, int]:
    match error:
        case TyperException():
            help_ = "`cloudforest COMMAND --help` tells what a command takes."
            said = error.format_message().replace("Value error, ", "")
            return f"{said}\n{help_}", Exit.USAGE
        case CloudforestError():
            return f"error: {error}", error.exit_code
        case OSError(strerror=str(reason)):
            place = f" ({error.filename})" if error.filename else ""
            return f"error: The system says: {reason}{place}.", Exit.FAILED
        case _:
            from cloudforest.base.logs import report  # noqa: PLC0415 - a bug only

            sentence = (
                f"This is a bug in cloudforest ({type(error).__name__}). "
                f"The report is in {report(error)}; please send it to us."
            )
            return sentence, Exit.BUG


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201 - the last words of the process
    return code
