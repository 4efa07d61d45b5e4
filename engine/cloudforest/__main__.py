"""The entry point. An agent loads only what an agent needs: no YAML, SQL or server."""

from __future__ import annotations

import importlib
import sys

_AGENT = ["agent", "run"]


def main() -> None:
    agent = sys.argv[1:3] == _AGENT
    module = "cloudforest.front.agent" if agent else "cloudforest.front.cli.app"
    sys.exit(importlib.import_module(module).main())


if __name__ == "__main__":
    main()
