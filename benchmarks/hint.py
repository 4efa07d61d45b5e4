"""The delay from an LDAP modify to the target's write, with change notification."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path

import ldap3
from tests.servers.domain import Samba

from benchmarks.domain import VARIABLE, filled, person, source
from benchmarks.installed import COMMAND, environment, null_scim, write_tree

PEOPLE = 2_000
CHANGES = 200
LONGEST_PAUSE = 3.0
"""Seconds between a write and the next change; short pauses follow a cycle closely."""
TIMEOUT = 180.0
"""Seconds; a change that only the schedule finds is late by one or two minutes."""
POLL = 0.02


def _last(url: str) -> tuple[int, float]:
    """Return the number of writes, and the time of the last one."""
    with urllib.request.urlopen(f"{url}/__last__") as answer:
        number, moment = json.load(answer)
    return number, moment


def _after(url: str, number: int) -> tuple[int, float]:
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        last = _last(url)
        if last[0] > number:
            return last
        time.sleep(POLL)
    raise TimeoutError(f"no write within {TIMEOUT:.0f} s")


def _settled(url: str) -> int:
    """Wait until the initial cycle is over: no write for three seconds."""
    _after(url, PEOPLE - 1)
    while time.monotonic() - _last(url)[1] < LONGEST_PAUSE:
        time.sleep(POLL)
    return _last(url)[0]


def _seconds(domain: Samba, url: str) -> list[float]:
    written, taken = _settled(url), []
    dice = random.Random(1)
    with domain.connection() as connection:
        for number in range(CHANGES):
            time.sleep(dice.uniform(0, LONGEST_PAUSE))
            began = time.monotonic()
            title = [(ldap3.MODIFY_REPLACE, [f"Title {number}"])]
            connection.modify(person(domain, number), {"title": title})
            written, moment = _after(url, written)
            taken.append(moment - began)
    return sorted(taken)


def measure(folder: Path) -> None:
    tree = folder / "hint"
    tree.mkdir()
    with filled(folder, PEOPLE) as domain, null_scim() as url:
        write_tree(tree, url=url, source=source(domain))
        with subprocess.Popen(
            [COMMAND, "up"],
            cwd=tree,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment({VARIABLE: domain.password}),
        ) as process:
            try:
                taken = _seconds(domain, url)
            finally:
                process.terminate()
    cuts = statistics.quantiles(taken, n=20)
    print(f"from an LDAP modify to the target's write, {CHANGES} changes")
    print(f"  p50 {cuts[9]:.2f} s   p95 {cuts[18]:.2f} s   longest {taken[-1]:.2f} s")
