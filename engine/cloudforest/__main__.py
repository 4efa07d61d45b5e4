"""The entry point. An agent loads no YAML, SQL or server."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

from cloudforest import __version__

_AGENT = ["agent", "run"]
_VERSION = ["--version"]
_INTERRUPTED = 130


def main() -> None:
    # Before the boundary takes over, an import could swallow a KeyboardInterrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    if sys.argv[1:] == _VERSION:
        print(f"cloudforest {__version__}")  # noqa: T201 - as the app does, without loading it
        return
    agent = sys.argv[1:3] == _AGENT
    module = "cloudforest.cli.agent_run" if agent else "cloudforest.cli.app"
    sys.exit(importlib.import_module(module).main())


def _leave(_number: int, _frame: Any) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
