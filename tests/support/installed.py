"""The installed command, run in subprocesses on trees of a scenario."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("cloudforest")
PASSWORD = "CONTOSO_PASSWORD"
TOKEN = "SCIM_TOKEN"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _shown(terminal: int) -> str:
    """Return the output of a terminal until its end, without colours."""
    written = b""
    with os.fdopen(terminal, "rb", buffering=0) as file:
        while True:
            try:
                part = file.read(65536)
            except OSError:
                # How Linux reports that the other end is closed.
                break
            written += part
    return _CONTROL.sub("", written.decode(errors="replace"))


@dataclass(frozen=True)
class Installed:
    """`cloudforest` in the folder of a tree, with only the given variables."""

    tree: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.variables}

    @property
    def state(self) -> Path:
        return self.tree / ".cloudforest"

    def __call__(self, *arguments: str, timeout: float = 300) -> Ran:
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.tree,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def edit(self, before: str, after: str) -> None:
        """Replace a text in all documents; at least one must contain it."""
        found = [
            each for each in self.tree.glob("*.yaml") if before in each.read_text()
        ]
        assert found, before
        for each in found:
            each.write_text(each.read_text().replace(before, after))

    def watched(self, *arguments: str) -> tuple[Ran, str]:
        """Run it with stderr on an 80-column terminal; return that output."""
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        with subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.tree,
            env={**self.environment, "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        ) as process:
            os.close(theirs)
            shown = _shown(ours)
            out, _ = process.communicate()
        return Ran(process.returncode, out, ""), shown

    def up_once(self) -> Any:
        """Run one cycle of each job. All must succeed. Return the first cycle."""
        ran = self("up", "--once", "--format", "json")
        assert ran.code == 0, ran
        return ran.json["jobs"][0]

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.tree,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise


def eventually(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Wait until the condition is true; return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} seconds")


def descendants(pid: int) -> dict[int, list[str]]:
    """Return the command lines of all processes below this one, by pid."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found[child] = _command_line(child)
            found |= descendants(child)
    return found


def _command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def write_tree(
    folder: Path,
    *,
    source: str,
    target: str,
    scope: str,
    more: str = "",
    mapping: str = "extends: ad-user-to-scim",
) -> None:
    """Write a tree with one document of each kind. Arguments are YAML on one line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tree.yaml").write_text(
        f"""\
kind: Tenant
name: contoso
service: embedded
scenario: new-hybrid-customer
---
{{kind: Target, name: cloud, {target}}}
---
kind: Forest
name: contoso
domains:
  - name: contoso.com
    source: {source}
---
{{kind: Agent, name: sync01, domains: [contoso.com], run: local}}
---
{{kind: Scope, name: staff, {scope}}}
---
kind: Mapping
name: people
sourceObjectName: user
targetObjectName: User
{mapping}
---
kind: Mapping
name: groups
extends: ad-group-to-scim
sourceObjectName: group
targetObjectName: Group
---
kind: Job
name: people
domain: contoso.com
target: cloud
scope: staff
mappings: [people, groups]
{more}
""",
        encoding="utf-8",
    )


def scim_target(url: str) -> str:
    return f"scim: '{url}', auth: {{bearer: {{env: {TOKEN}}}}}, profile: generic"


def active_directory(url: str, ca: Path, username: str, *, name: str = "") -> str:
    server_name = f", serverName: {name}" if name else ""
    return (
        f"{{activeDirectory: {{controllers: ['{url}'], "
        f"tls: {{ca: '{ca}'{server_name}}}, "
        f"bind: {{username: {username}, password: {{env: {PASSWORD}}}}}}}}}"
    )


TOPOLOGY = Path(__file__).parents[2] / "topologies" / "new-hybrid-customer"
