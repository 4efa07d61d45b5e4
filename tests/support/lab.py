"""One scenario: its own OU, job and target, in a domain shared by scenarios."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap3
from tests.servers.contoso import NORMAL
from tests.servers.scim import ScimServer
from tests.servers.scim_server import WRITES
from tests.support.installed import eventually, scim_target, write_tree
from tests.support.sent import Sent, operations_of, these
from tests.support.service import IDLE, Service


@dataclass
class Lab:
    """One scenario. Objects below `unit` are in scope unless `declare` differs."""

    service: Service
    target: ScimServer
    connection: ldap3.Connection
    tree: Path
    name: str
    last: dict[str, Any] = field(default_factory=dict)
    """The last cycle, as documented JSON."""
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return f"OU={self.name},{self.service.samba.base}"

    @property
    def staff(self) -> str:
        """The scope with a filter."""
        unit = f"organizationalUnits: ['{self.unit}']"
        return f"{unit}, filters: {{user: 'employeeType eq \"staff\"'}}"

    # --- the directory ---------------------------------------------------------------

    def add(self, dn: str, kind: str, **attributes: Any) -> str:
        named = {
            name.replace("_", "-"): value
            for name, value in attributes.items()
            if value is not None
        }
        self.connection.add(dn, kind, named)
        return dn

    def ou(self, name: str, below: str | None = None) -> str:
        return self.add(f"OU={name},{below or self.unit}", "organizationalUnit")

    def person(self, name: str, below: str | None = None, **attributes: Any) -> str:
        usual = {
            "sAMAccountName": f"{name}.{self.name}",
            "userPrincipalName": f"{name}@{self.name}.contoso.com",
            "displayName": name.title(),
            "userAccountControl": NORMAL,
        }
        return self.add(
            f"CN={name},{below or self.unit}", "user", **{**usual, **attributes}
        )

    def people(self, *names: str) -> list[str]:
        return [self.person(name) for name in names]

    def group(self, name: str, *members: str, below: str | None = None) -> str:
        listed = {"member": list(members)} if members else {}
        return self.add(
            f"CN={name},{below or self.unit}",
            "group",
            sAMAccountName=f"{name}.{self.name}",
            displayName=name,
            **listed,
        )

    def modify(self, dn: str, **changes: list[Any]) -> None:
        """Replace attributes; `_` in a name stands for `-`, an empty list clears."""
        self.connection.modify(
            dn,
            {
                name.replace("_", "-"): [(ldap3.MODIFY_REPLACE, values)]
                for name, values in changes.items()
            },
        )

    def enlist(self, group: str, *members: str) -> None:
        self.connection.modify(group, {"member": [(ldap3.MODIFY_ADD, list(members))]})

    def dismiss(self, group: str, *members: str) -> None:
        self.connection.modify(
            group, {"member": [(ldap3.MODIFY_DELETE, list(members))]}
        )

    def rename(self, dn: str, relative: str) -> str:
        self.connection.modify_dn(dn, relative)
        return f"{relative},{dn.split(',', 1)[1]}"

    def move(self, dn: str, below: str) -> str:
        relative = dn.split(",", 1)[0]
        self.connection.modify_dn(dn, relative, new_superior=below)
        return f"{relative},{below}"

    def delete(self, dn: str) -> None:
        self.connection.delete(dn)

    def reanimate(self, guid: str, dn: str) -> None:
        self.service.samba.reanimate(guid, dn)

    def restore(self, dn: str) -> None:
        """Restore the attributes of `person` to a reanimated person."""
        name = dn.split(",", 1)[0].removeprefix("CN=")
        self.modify(
            dn,
            userPrincipalName=[f"{name}@{self.name}.contoso.com"],
            displayName=[name.title()],
            userAccountControl=[NORMAL],
        )

    def guid(self, dn: str) -> str:
        return self.service.samba.guid(dn)

    # --- the job ---------------------------------------------------------------------

    def declare(
        self, scope: str = "", mapping: str = "", more: str = "", target: str = ""
    ) -> None:
        """Register the job; `scope` and `target` are YAML on one line."""
        write_tree(
            self.tree,
            source=self.service.source,
            target=scim_target(self.target.url) + target,
            scope=scope or f"organizationalUnits: ['{self.unit}']",
            mapping=mapping or "extends: ad-user-to-scim",
            more=f"{IDLE}\n{more}",
        )
        file = self.tree / "tree.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in (
            ("name: people\ndomain", f"name: {self.name}\ndomain"),
            ("name: cloud,", f"name: cloud-{self.name},"),
            ("target: cloud", f"target: cloud-{self.name}"),
        ):
            assert old in text
            text = text.replace(old, new, 1)
        file.write_text(text, encoding="utf-8")
        self.service.register(self.tree)

    def cycle(self, state: str = "succeeded") -> list[Sent]:
        """Run one cycle that must end in `state`; return its writes, sorted."""
        return these(*(each for each in self.requests(state) if each.method in WRITES))

    def settled(self) -> None:
        """Assert that another cycle sends no request to the target."""
        assert self.requests(self.last["state"]) == []

    def created(self, dn: str, kind: str = "User", **values: Any) -> Sent:
        """Return the request that creates a person or group with the defaults above."""
        name = dn.split(",", 1)[0].removeprefix("CN=")
        usual = (
            {
                "active": True,
                "displayName": name.title(),
                "userName": f"{name}@{self.name}.contoso.com",
            }
            if kind == "User"
            else {"displayName": name}
        )
        body = {"externalId": self.guid(dn), **usual, **values}
        return Sent("POST", f"/{kind}s", dict(sorted(body.items())))

    def requests(self, state: str = "succeeded") -> list[Sent]:
        """Run one cycle; return all requests to the target, in order."""
        before = len(self.target.noted())
        self.last = self.service.run(self.name)
        requests = self.target.noted()[before:]
        assert self.last["state"] == state, self.last
        self._learn()
        return [self._named(*each) for each in requests]

    @contextmanager
    def running(self, writes: int) -> Iterator[None]:
        """Run a cycle; run the block after that many writes, then wait for the end."""
        end = self.target.writes() + writes
        with ThreadPoolExecutor(1) as pool:
            cycle = pool.submit(self.service.run, self.name)
            eventually(lambda: self.target.writes() >= end, f"{writes} writes")
            yield
            self.last = cycle.result()
        self._learn()

    # --- the target ------------------------------------------------------------------

    def users(self) -> dict[str, dict[str, Any]]:
        return {_local(each): each for each in self.target.users()}

    def groups(self) -> dict[str, set[str]]:
        """Return the names of each group's members."""
        self._learn()
        return {
            each["displayName"]: {
                self._names[member["value"]] for member in each.get("members", [])
            }
            for each in self.target.groups()
        }

    def _learn(self) -> None:
        for each in self.target.users():
            self._names.setdefault(each["id"], _local(each))
        for each in self.target.groups():
            self._names.setdefault(each["id"], each["displayName"])

    def _named(self, method: str, path: str, body: Any) -> Sent:
        text = json.dumps([path.removeprefix("/v2"), body])
        for resource, name in self._names.items():
            text = text.replace(resource, name)
        path, body = json.loads(text)
        if isinstance(body, dict):
            body = operations_of(body) or {
                name: body[name] for name in sorted(body) if name != "schemas"
            }
        return Sent(method, path, body)


def _local(user: dict[str, Any]) -> str:
    return str(user["userName"]).split("@", maxsplit=1)[0]


NUMBERS = itertools.count(1)


def make_lab(
    service: Service, target: ScimServer, connection: ldap3.Connection, folder: Path
) -> Lab:
    name = f"lab{next(NUMBERS):03}"
    made = Lab(service, target, connection, folder / "tree", name)
    made.add(made.unit, "organizationalUnit")
    made.declare()
    return made


FILL = """
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

folder, unit, size, title = sys.argv[1:]
lp = LoadParm()
lp.load(f"{folder}/etc/smb.conf")
db = SamDB(
    f"{folder}/private/sam.ldb",
    session_info=system_session(lp),
    lp=lp,
    options=["batch_mode:1"],
)
name = unit.split(",")[0].removeprefix("OU=")
people = [f"CN=v{number},{unit}" for number in range(int(size))]
db.transaction_start()
if title:
    for dn in people:
        change = f"changetype: modify\\nreplace: title\\ntitle: {title}"
        db.modify_ldif(f"dn: {dn}\\n{change}\\n")
else:
    for number, dn in enumerate(people):
        # A longer transaction is slower for each that is in it.
        if number % 2_000 == 0:
            db.transaction_commit()
            db.transaction_start()
        upn = f"v{number}@{name}.contoso.com"
        db.add({"dn": dn, "objectClass": "user", "sAMAccountName": f"v{number}.{name}",
                "userPrincipalName": upn, "displayName": f"v{number}",
                "userAccountControl": "512"})
    db.add({"dn": f"CN=crowd,{unit}", "objectClass": "group",
            "displayName": "crowd", "member": people})
db.transaction_commit()
"""
