"""One installed `cloudforest up` for many scenarios, each with its own job."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from tests.servers import scim
from tests.servers.contoso import Account
from tests.servers.samba import Samba
from tests.support.installed import (
    COMMAND,
    PASSWORD,
    TOKEN,
    Installed,
    active_directory,
    eventually,
    scim_target,
    write_tree,
)

from cloudforest.compiler.compile import compile_tree

IDLE = "interval: 24h\nenabled: false"
"""The scheduler never runs the job: a scenario starts each cycle itself."""


@dataclass(frozen=True)
class Service:
    """A control plane, its store and bus, and one agent of the domain: all real."""

    installed: Installed
    samba: Samba
    source: str

    @property
    def url(self) -> str:
        return json.loads((self.installed.state / "serve.json").read_text())["url"]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str):
        token = (self.installed.state / "keys" / "operator.token").read_text()
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=body,
            headers={"Authorization": f"Bearer {token}", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return [json.loads(line) for line in answer]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from error

    def register(self, tree: Path) -> None:
        """Replace the registration with the one compiled from a tree."""
        compiled = compile_tree(tree)
        assert compiled.registration, compiled.diagnostics
        [held] = self.ask("GET", "/registration")
        self.ask(
            "PUT",
            "/registration",
            msgspec.json.encode(compiled.registration),
            **{"If-Match": f'"{held["revision"]}"'},
        )

    def run(self, job: str) -> dict[str, Any]:
        """Run one cycle of a job; return it in the documented shape."""
        *_, last = self.ask("POST", f"/jobs/{job}/run")
        assert "cycle" in last, last
        return last["cycle"]

    def status(self, job: str) -> dict[str, Any]:
        [status] = self.ask("GET", "/status")
        [found] = [each for each in status["jobs"] if each["name"] == job]
        return found

    def start(self) -> subprocess.Popen[bytes]:
        """Run `up` in the tree; return once it serves and its agent has reported."""
        with (self.installed.tree.parent / "up.log").open("ab") as log:
            process = subprocess.Popen(
                [COMMAND, "up"],
                cwd=self.installed.tree,
                env=self.installed.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(
            lambda: process.poll() is not None or self._is_ready(process.pid),
            "the agent's bootstrap",
            seconds=120,
        )
        assert process.poll() is None, Path(log.name).read_text()[-2000:]
        return process

    def _is_ready(self, pid: int) -> bool:
        file = self.installed.state / "serve.json"
        if not file.exists() or json.loads(file.read_text())["pid"] != pid:
            return False
        with contextlib.suppress(urllib.error.URLError):
            [status] = self.ask("GET", "/status")
            return any(each["lastBootstrap"] for each in status["agents"])
        return False


def tree_of(folder: Path, samba: Samba, account: Account, *controllers: str) -> Service:
    """Write a tree of the domain, read with this account. Its job never runs."""
    urls = "', '".join(controllers or (samba.url,))
    source = active_directory(urls, samba.ca, account.username)
    write_tree(
        folder,
        source=source,
        target=scim_target("http://127.0.0.1:1"),
        scope="organizationalUnits: all",
        more=IDLE,
    )
    secrets = {PASSWORD: account.password, TOKEN: scim.TOKEN}
    return Service(Installed(folder, secrets), samba, source)


@contextlib.contextmanager
def running(service: Service) -> Iterator[Service]:
    """Run `up` until the block ends."""
    process = service.start()
    try:
        yield service
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
