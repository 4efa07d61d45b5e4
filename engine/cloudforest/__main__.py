"""The entry point."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from cloudforest import __version__

_INTERRUPTED = 130


def main() -> None:
    # Before the boundary takes over, an import could swallow a KeyboardInterrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    if sys.argv[1:] == ["--version"]:
        print(f"cloudforest {__version__}")  # noqa: T201 - as the app does, without loading it
        return
    from cloudforest.cli import app  # noqa: PLC0415 - an interrupt while it loads ends us

    sys.exit(app.main())


def _leave(_number: int, _frame: Any) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
