"""The peak of memory that a piece of code takes, in its own process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

# `ru_maxrss` would count the parent too, from before the exec.
ENDING = """
from pathlib import Path
[line] = [each for each in Path("/proc/self/status").open() if "VmHWM" in each]
print(int(line.split()[1]) // 1024)
"""


def peak_mebibytes(code: str) -> int:
    """Run the code; return the peak in MiB. The code must not print."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + ENDING],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return int(done.stdout)
