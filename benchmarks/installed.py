"""The installed command on a tree whose target is a null SCIM server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("cloudforest")
SAMPLE_SECONDS = 0.05
EXPORT = "contoso.ldif"
LDIF = f"{{ldif: {EXPORT}}}"
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
domains: [{{name: contoso.com, source: {source}}}]
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


def write_tree(tree: Path, *, url: str, source: str) -> None:
    (tree / "tree.yaml").write_text(TREE.format(url=url, source=source))


def exported_forest(folder: Path, people: int) -> Path:
    """Return a folder for a tree, with an LDIF export of that many people."""
    tree = folder / str(people)
    tree.mkdir()
    script = HERE.parent / "scripts" / "make_forest.py"
    export = tree / EXPORT
    subprocess.run(
        [sys.executable, script, "--people", str(people), "--out", export], check=True
    )
    return tree


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **variables}


def up_once(tree: Path, **variables: str) -> tuple[dict[str, Any], Peaks]:
    """Return the job's successful cycle and its peak memory."""
    with subprocess.Popen(
        [COMMAND, "up", "--once", "--format", "json"],
        cwd=tree,
        stdout=subprocess.PIPE,
        env=environment(variables),
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
