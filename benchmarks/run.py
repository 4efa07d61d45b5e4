"""Run all measurements, or the named ones.

`make bench`, or `python -m benchmarks.run` with names of `MEASUREMENTS`. `noop` and
`hint` need Samba AD DC, as root. Other load on the machine affects all results except
the ratios.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    documents,
    expressions,
    full,
    hint,
    impact,
    memory,
    noop,
    startup,
)

MEASUREMENTS = {
    "documents": documents.measure,
    "expressions": expressions.measure,
    "full": full.measure,
    "impact": impact.measure,
    "noop": noop.measure,
    "hint": hint.measure,
    "memory": memory.measure,
    "startup": startup.measure,
}


def main(*names: str) -> None:
    for name in names or MEASUREMENTS:
        with tempfile.TemporaryDirectory() as folder:
            MEASUREMENTS[name](Path(folder))
        print(f"  (load {os.getloadavg()[0]:.1f})", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
