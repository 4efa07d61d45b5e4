"""Two domains of a forest, two controllers, one agent, a third-party SCIM server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ldap3
import pytest
from tests.servers.abroad import add_member, remove_member
from tests.servers.samba import Contoso, Samba
from tests.servers.scim import StartScimServer
from tests.servers.scim_server import ScimServer
from tests.support.installed import (
    PASSWORD,
    TOKEN,
    Installed,
    active_directory,
    scim_target,
    write_tree,
)

HOME, AWAY = "OU=Frontier,DC=contoso,DC=com", "OU=Frontier,DC=lab,DC=contoso,DC=com"
CLUB, GATE = f"CN=Club,{HOME}", f"CN=Gate,{AWAY}"
LAB_PASSWORD = "LAB_PASSWORD"
TREE_DELETE = ("1.2.840.113556.1.4.805", True, None)
MORE = """\
---
kind: Forest
name: lab
domains:
  - name: lab.contoso.com
    source: {source}
---
{{kind: Agent, name: sync01, domains: [contoso.com, lab.contoso.com], run: local}}
---
{{kind: Scope, name: lab, organizationalUnits: ['{unit}']}}
---
kind: Job
name: lab
domain: lab.contoso.com
scope: lab
mappings: [people]
"""
ONE_AGENT = "{kind: Agent, name: sync01, domains: [contoso.com], run: local}\n---\n"


def _person(name: str, unit: str) -> str:
    lines = (f"sAMAccountName: {name}", f"userPrincipalName: {name}@contoso.com")
    return "\n".join(
        (
            f"dn: CN={name},{unit}",
            "objectClass: user",
            *lines,
            "userAccountControl: 544",
        )
    )


@pytest.fixture
def frontier(contoso: Contoso, lab_domain: Samba) -> Iterator[Contoso]:
    """Club in contoso.com has ann and, from lab, eve; Gate in lab has ann and eve."""
    lab = lab_domain
    group = "objectClass: group\ngroupType: -2147483640"
    for samba, unit, people in (
        (contoso.samba, HOME, ("ann", "bob")),
        (lab, AWAY, ("eve",)),
    ):
        samba.add(f"dn: {unit}\nobjectClass: organizationalUnit")
        samba.add("\n\n".join(_person(name, unit) for name in people))
    contoso.samba.add(f"dn: {CLUB}\n{group}\nmember: CN=ann,{HOME}")
    lab.add(f"dn: {GATE}\n{group}\nmember: CN=eve,{AWAY}")
    eve, ann = f"CN=eve,{AWAY}", f"CN=ann,{HOME}"
    add_member(contoso.samba, CLUB, lab.guid(eve), eve)
    add_member(lab, GATE, contoso.samba.guid(ann), ann)
    yield contoso
    for samba, unit in ((contoso.samba, HOME), (lab, AWAY)):
        with samba.connection() as connection:
            connection.delete(unit, controls=[TREE_DELETE])


@pytest.fixture
def target(scim_server: StartScimServer) -> ScimServer:
    return scim_server()


@pytest.fixture
def cloudforest(
    frontier: Contoso, lab_domain: Samba, target: ScimServer, tmp_path: Path
) -> Installed:
    """One agent reads both domains. A job per domain writes to the same target."""
    samba = frontier.samba
    lab = lab_domain
    source = active_directory(lab.url, lab.ca, lab.user)
    write_tree(
        tmp_path,
        source=active_directory(samba.url, samba.ca, frontier.delegated.username),
        target=scim_target(target.url),
        scope=f"organizationalUnits: ['{HOME}']",
        more=MORE.format(source=source.replace(PASSWORD, LAB_PASSWORD), unit=AWAY),
    )
    tree = tmp_path / "tree.yaml"
    tree.write_text(tree.read_text().replace(ONE_AGENT, ""))
    passwords = {PASSWORD: frontier.delegated.password, LAB_PASSWORD: lab.password}
    return Installed(tmp_path, {**passwords, TOKEN: target.token})


def _active(target: ScimServer) -> dict[str, bool]:
    return {
        each["userName"].partition("@")[0]: each.get("active", True)
        for each in target.users()
    }


def _members(target: ScimServer) -> dict[str, set[str]]:
    names = {each["id"]: each["userName"].partition("@")[0] for each in target.users()}
    return {
        each["displayName"]: {names[member["value"]] for member in each["members"]}
        for each in target.groups()
    }


def _cycles(cloudforest: Installed) -> dict[str, Any]:
    ran = cloudforest("up", "--once", "--format", "json")
    assert ran.code == 0, ran
    return {each["job"]: each["counts"] for each in ran.json["jobs"]}


def test_group_gets_members_that_the_job_of_another_domain_created(
    cloudforest: Installed, target: ScimServer
) -> None:
    _cycles(cloudforest)
    # The job of the group may have run before eve existed in the target.
    _cycles(cloudforest)
    assert _members(target) == {"Club": {"ann", "eve"}}
    writes = target.writes()

    counts = _cycles(cloudforest)

    assert target.writes() == writes
    assert counts["people"]["memberAdd"] == 0


def test_scope_group_of_another_domain_adds_and_removes_people(
    cloudforest: Installed, target: ScimServer, frontier: Contoso, lab_domain: Samba
) -> None:
    lab = lab_domain
    tree = cloudforest.tree / "tree.yaml"
    scope = f"organizationalUnits: ['{HOME}']"
    tree.write_text(
        tree.read_text().replace(scope, f"organizationalUnits: all, groups: ['{GATE}']")
    )
    counts = _cycles(cloudforest)
    assert counts["people"]["create"] == 1
    assert _active(target) == {"ann": True, "eve": True}

    remove_member(lab, GATE, frontier.samba.guid(f"CN=ann,{HOME}"))
    bob = f"CN=bob,{HOME}"
    add_member(lab, GATE, frontier.samba.guid(bob), bob)
    with lab.connection() as connection:
        gone = {"member": [(ldap3.MODIFY_DELETE, [f"CN=eve,{AWAY}"])]}
        connection.modify(GATE, gone)
    _cycles(cloudforest)

    assert _active(target) == {"ann": False, "bob": True, "eve": True}
