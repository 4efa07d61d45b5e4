"""The entry point. An agent loads only what an agent needs: no YAML, SQL or server."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any

_AGENT = ["agent", "run"]
_INTERRUPTED = 130


def main() -> None:
    # Until the boundary takes over, an import may swallow a KeyboardInterrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    agent = sys.argv[1:3] == _AGENT
    module = "cloudforest.cli.agent_run" if agent else "cloudforest.cli.app"
    sys.exit(importlib.import_module(module).main())


def _leave(_number: int, _frame: Any) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
