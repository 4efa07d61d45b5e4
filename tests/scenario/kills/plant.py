"""All processes of a cycle with 300 objects. A test may kill each of them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap3
from tests.servers.contoso import NORMAL
from tests.servers.controller import Controller
from tests.servers.durable import DurableServer
from tests.support.installed import (
    alive,
    descendants,
    eventually,
    scim_target,
    write_tree,
)
from tests.support.service import IDLE, Service

PEOPLE, GROUPS = 280, 20
PATIENCE = 240
"""Seconds within which a cycle must succeed. An escrowed object waits one."""
NUMBERS = itertools.count(1)


@dataclass
class Plant:
    """`unit` holds 280 people and 20 groups, in one of two states."""

    controller: Controller
    service: Service
    target: DurableServer
    up: subprocess.Popen[bytes] | None = None
    flipped: bool = False
    job: str = ""
    last: dict[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return f"OU=Kill,{self.controller.samba.base}"

    # --- the directory ---------------------------------------------------------------

    def person(self, number: int) -> str:
        return f"CN=p{number:03},{self.unit}"

    def fill(self) -> None:
        with self.controller.samba.connection() as connection:
            connection.add(self.unit, "organizationalUnit")
            for number in range(PEOPLE):
                connection.add(self.person(number), "user", _person(number))
            for number in range(GROUPS):
                connection.add(
                    f"CN=g{number:02},{self.unit}",
                    "group",
                    {
                        "sAMAccountName": f"kill-g{number:02}",
                        "description": "out" if number < 2 else "in",
                        "member": [
                            self.person(each) for each in range(number, PEOPLE, GROUPS)
                        ],
                    },
                )
            for number in range(1, PEOPLE, 3):
                manager = [(ldap3.MODIFY_REPLACE, [self.person(0)])]
                connection.modify(self.person(number), {"manager": manager})

    def flip(self) -> None:
        """Switch 100 objects to the other state."""
        self.flipped = not self.flipped
        with self.controller.samba.connection() as connection:
            for dn, name, value in self._changes():
                connection.modify(dn, {name: [(ldap3.MODIFY_REPLACE, value)]})

    def _changes(self) -> Iterator[tuple[str, str, list[Any]]]:
        for number in range(20, 60):
            yield self.person(number), "title", ["Head"] if self.flipped else []
        for number in range(60, 80):
            name = "Changed" if self.flipped else "Person"
            yield self.person(number), "displayName", [f"{name} {number}"]
        for number in range(12):
            kind = "staff" if (number < 6) == self.flipped else "guest"
            yield self.person(number + 80), "employeeType", [kind]
        for number in range(4):
            there = "in" if (number < 2) == self.flipped else "out"
            yield f"CN=g{number:02},{self.unit}", "description", [there]
        for number in range(4, 10):
            members = [self.person(each) for each in range(number, PEOPLE, GROUPS)]
            there = members[1:] if self.flipped else members
            yield f"CN=g{number:02},{self.unit}", "member", there

    # --- the job ---------------------------------------------------------------------

    def begin(self, folder: Path) -> None:
        """Register a new job with an empty target."""
        self.job = f"kill{next(NUMBERS):03}"
        self.target = DurableServer(folder)
        self.target.start()
        tree = self.service.installed.tree
        write_tree(
            tree,
            source=self.service.source,
            target=scim_target(self.target.server.url),
            scope=(
                f"organizationalUnits: ['{self.unit}'], filters: "
                "{user: 'employeeType eq \"staff\"', group: 'description eq \"in\"'}"
            ),
            more=IDLE,
        )
        file = tree / "tree.yaml"
        text = file.read_text(encoding="utf-8")
        text = text.replace("name: people\ndomain", f"name: {self.job}\ndomain")
        text = text.replace("name: cloud,", f"name: {self.job},")
        file.write_text(text.replace("target: cloud", f"target: {self.job}"))
        self.service.register(tree)

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Run a cycle while the block runs; ignore its result."""

        def cycle() -> None:
            with suppress(urllib.error.URLError, ConnectionError, AssertionError):
                self.service.run(self.job)

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(cycle)
            yield
            running.result()

    def converge(self) -> None:
        """Run cycles until one succeeds and the next writes nothing."""
        end = time.monotonic() + PATIENCE
        while not self._succeeds():
            assert self.last["state"] != "blocked", self.last
            assert time.monotonic() < end, self.last
        before = self.target.server.writes()
        assert self._succeeds()
        assert self.target.server.writes() == before

    def _succeeds(self) -> bool:
        self.last = self.service.run(self.job)
        if self.last["state"] == "succeeded":
            return True
        time.sleep(0.5)
        return False

    # --- the end state ---------------------------------------------------------------

    def end_state(self) -> dict[str, Any]:
        """Return all resources by name; references are names, not ids."""
        users, groups = self.target.server.users(), self.target.server.groups()
        names = {each["id"]: each["userName"] for each in users}
        names |= {each["id"]: each["displayName"] for each in groups}
        state = {names[each["id"]]: _named(each, names) for each in users + groups}
        assert len(state) == len(users) + len(groups), "duplicates"
        return state

    # --- the victims -----------------------------------------------------------------

    def kill(self, victim: str) -> None:
        match victim:
            case "service":
                self._kill_service()
            case "agent":
                self._kill_child("cloudforest", "agent")
            case "bus":
                self._kill_child("nats-server")
            case "directory":
                self.controller.kill()
            case "target":
                self.target.kill()

    def _kill_service(self) -> None:
        assert self.up is not None
        children = descendants(self.up.pid)
        self.up.kill()
        self.up.wait()
        eventually(
            lambda: not [pid for pid in children if alive(pid)],
            "the end of all children",
        )

    def _kill_child(self, *words: str) -> None:
        assert self.up is not None
        killed = [
            pid
            for pid, command in descendants(self.up.pid).items()
            if "cloudforest.base.processes" not in command
            and all(any(word in each for each in command) for word in words)
        ]
        assert killed
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def revive(self, victim: str) -> None:
        """Restart a victim that no other process restarts."""
        match victim:
            case "service":
                self.up = self.service.start()
            case "directory":
                self.controller.start()
            case "target":
                self.target.start()


def _person(number: int) -> dict[str, Any]:
    return {
        "sAMAccountName": f"kill-p{number:03}",
        "userPrincipalName": f"p{number:03}@kill.contoso.com",
        "displayName": f"Person {number}",
        "mail": f"p{number:03}@kill.contoso.com",
        "employeeType": "guest" if 80 <= number < 86 else "staff",
        "userAccountControl": NORMAL,
    }


def _named(resource: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    kept = {key: each for key, each in resource.items() if key not in ("id", "meta")}
    members = {names[each["value"]] for each in kept.pop("members", [])}
    extension = kept.get("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")
    if extension and "manager" in extension:
        manager = names[extension["manager"]["value"]]
        kept[next(key for key in kept if "enterprise" in key)] = {"manager": manager}
    return {**kept, "members": members}
