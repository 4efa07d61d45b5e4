"""The start-up time of commands: help, version, and `validate`."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.installed import COMMAND

RUNS = 11
TREE = Path(__file__).parents[1] / "topologies" / "new-hybrid-customer"
CALLS = ("--version", "--help", "job --help", "plan --help", "validate")


def measure(folder: Path) -> None:
    del folder
    print(f"start-up, the median of {RUNS} runs")
    for words in CALLS:
        _once(words)  # writes the bytecode and fills the disk cache
        runs = [_once(words) for _ in range(RUNS)]
        wall, busy = (statistics.median(each) for each in zip(*runs, strict=True))
        print(f"  {words:12} {wall:5.2f} s, processor {busy:5.2f} s", flush=True)


def _once(words: str) -> tuple[float, float]:
    """Return the elapsed seconds, and the processor time."""
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [COMMAND, *words.split()], cwd=TREE, stdout=subprocess.DEVNULL, check=True
    )
    after = os.times()
    busy = after.children_user - before.children_user
    busy += after.children_system - before.children_system
    return time.perf_counter() - began, busy
