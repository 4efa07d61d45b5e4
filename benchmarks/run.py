"""The whole path against a null SCIM server, and the same payloads pushed bare.

`make bench` prints, in one run: objects/s of the whole path from a generated LDIF
export to the target; the same writes sent by a bare aiohttp client at the same
concurrency, and their ratio; the seconds of a cycle without changes; the peak memory of
agent and service with 2,000 and with 20,000 people.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

HERE = Path(__file__).parent
CONCURRENCY = 8
"""The built-in profile's."""
SAMPLE_SECONDS = 0.05
TREE = """\
kind: Tenant
name: bench
service: embedded
scenario: new-hybrid-customer
---
{{kind: Target, name: cloud, scim: '{url}', profile: generic}}
---
kind: Forest
name: contoso
domains: [{{name: contoso.com, source: {{ldif: contoso.ldif}}}}]
---
{{kind: Agent, name: sync01, domains: [contoso.com], run: local}}
---
{{kind: Scope, name: everybody, organizationalUnits: all}}
---
kind: Job
name: people
domain: contoso.com
target: cloud
scope: everybody
mappings: [ad-user-to-scim, ad-group-to-scim]
guard: {{creates: {{max: 1000000, percent: 100, base: 1000000, window: 24h}}}}
"""


@contextmanager
def null_scim() -> Iterator[str]:
    command = [sys.executable, str(HERE / "null_scim.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


@dataclass
class Peaks:
    """The peak resident memory, in MB, of a command and of its agent."""

    pid: int
    service: float = 0
    agent: float = 0
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.done.wait(SAMPLE_SECONDS):
            self.service = max(self.service, peak(self.pid))
            for child in children(self.pid):
                if "agent" in command_line(child):
                    self.agent = max(self.agent, peak(child))


def peak(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else 0


def children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").glob("*/children")
            for child in task.read_text().split()
        ]
    except OSError:
        return []


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def up_once(tree: Path) -> tuple[dict[str, Any], Peaks]:
    command = [Path(sys.executable).with_name("cloudforest"), "up", "--once"]
    with subprocess.Popen(
        [*command, "--format", "json"],
        cwd=tree,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    ) as process:
        peaks = Peaks(process.pid)
        watcher = threading.Thread(target=peaks.watch)
        watcher.start()
        assert process.stdout
        printed = process.stdout.read()
        peaks.done.set()
        watcher.join()
    [cycle] = json.loads(printed)["jobs"]
    assert cycle["state"] == "succeeded", cycle
    return cycle, peaks


def writes(url: str) -> list[list[str]]:
    with urllib.request.urlopen(f"{url}/__writes__") as answer:
        return [json.loads(line) for line in answer]


async def push(url: str, payloads: list[list[str]]) -> float:
    """Send the same writes with nothing around them; return the seconds."""
    queue = iter(payloads)
    headers = {"Content-Type": "application/scim+json"}

    async def worker(session: aiohttp.ClientSession) -> None:
        for method, path, body in queue:
            async with session.request(
                method, url + path, data=body.encode(), headers=headers
            ) as answer:
                await answer.read()

    began = time.perf_counter()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker(session))
    return time.perf_counter() - began


def measure(people: int, folder: Path) -> tuple[Peaks, Peaks]:
    tree = folder / str(people)
    tree.mkdir()
    script = HERE.parent / "scripts" / "make_forest.py"
    export = tree / "contoso.ldif"
    subprocess.run(
        [sys.executable, script, "--people", str(people), "--out", export], check=True
    )
    with null_scim() as url:
        (tree / "tree.yaml").write_text(TREE.format(url=url))
        first, peaks = up_once(tree)
        payloads = writes(url)
        again, idle = up_once(tree)
    with null_scim() as url:
        bare = asyncio.run(push(url, payloads))
    report(people, first, again, len(payloads), bare)
    return peaks, idle


def report(
    people: int,
    first: dict[str, Any],
    again: dict[str, Any],
    sent: int,
    bare: float,
) -> None:
    objects = first["counts"]["create"]
    whole = first["seconds"]
    print(f"{people:,} people: {objects:,} objects created with {sent:,} writes")
    print(f"  whole path    {objects / whole:8,.0f} objects/s  {whole:6.1f} s")
    print(f"  bare client   {objects / bare:8,.0f} objects/s  {bare:6.1f} s")
    print(f"  ratio         {whole / bare:8.2f}")
    print(f"  no-op cycle   {again['seconds']:8.1f} s, {again['requests']} requests")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        small, _ = measure(2_000, Path(folder))
        large, _ = measure(20_000, Path(folder))
    print("peak memory, MB      2,000   20,000   difference")
    for name in ("agent", "service"):
        low, high = getattr(small, name), getattr(large, name)
        print(f"  {name:<16} {low:7.0f}  {high:7.0f}  {high - low:+9.0f}")


if __name__ == "__main__":
    main()
