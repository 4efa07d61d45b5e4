"""The one place that catches all errors and turns them into an exit code.

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


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    CHANGES = 2
    BLOCKED = 3
    ESCROW = 4
    UNREACHABLE = 5
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130


_PRECEDENCE = (130, 70, 64, 1, 5, 3, 4, 2, 0)


def pick_exit_code(*codes: int) -> int:
    """Return the one exit code that stands for several, the most severe."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.DONE)


def run_command(
    command: Callable[[], int | None], *, reword: Callable[[str], str] = str
) -> int:
    """Run a command and return its exit code; write a report for a bug.

    `reword` adapts error messages to the call, for example its state folder.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        return int(command() or ExitCode.DONE)
    except _interruptions():
        return _print_error("Interrupted.", ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - this is the boundary
        error = _unwrap_group(error)
        message, code = _describe_error(error)
        return _print_error(reword(message) + _help_hint(error), code)


def _interruptions() -> tuple[type[BaseException], ...]:
    """Return the exceptions that end a command early, without importing asyncio."""
    loaded = sys.modules.get("asyncio")
    return (KeyboardInterrupt, Abort, *([loaded.CancelledError] if loaded else ()))


def _raise_interrupt(_number: int, _frame: object) -> None:
    """End as for Ctrl-C: asyncio cancels its tasks, and children end in order."""
    signal.raise_signal(signal.SIGINT)


def _unwrap_group(error: Exception) -> Exception:
    """Return the error of a task group that failed for one reason."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _describe_error(error: Exception) -> tuple[str, int]:
    match error:
        case TyperException():
            return error.format_message().replace("Value error, ", ""), ExitCode.USAGE
        case CloudforestError():
            return f"error: {error}", error.exit_code
        case OSError(strerror=str(reason)):
            place = f' ("{error.filename}")' if error.filename else ""
            return f"error: Operating system error: {reason}{place}.", ExitCode.FAILED
        case _:
            from cloudforest.base.logs import write_bug_report

            sentence = (
                f"This is a bug in cloudforest ({type(error).__name__}). "
                f"Please send us the report: {write_bug_report(error)}"
            )
            return sentence, ExitCode.BUG


def _help_hint(error: Exception) -> str:
    """Return a line that names the help of the command that was used wrongly."""
    ctx = getattr(error, "ctx", None)
    if ctx is None:
        return ""
    is_group = hasattr(ctx.command, "commands")
    shown = "lists the commands" if is_group else "shows the options"
    return f"\n`{ctx.command_path} --help` {shown}."


def _print_error(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the last words of the process
    return code
