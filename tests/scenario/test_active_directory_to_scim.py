"""Acceptance: Samba AD DC to a third-party SCIM server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.servers.contoso import GROUPS, PEOPLE, staff
from tests.servers.samba import Contoso
from tests.servers.scim import ScimServer
from tests.support.installed import (
    PASSWORD,
    TOKEN,
    Installed,
    active_directory,
    scim_target,
    write_tree,
)

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SCOPE = (
    f"organizationalUnits: ['{PEOPLE}', '{GROUPS}'], "
    "filters: {user: 'employeeType eq \"staff\"'}"
)


@pytest.fixture
def target(scim_server: Callable[[], ScimServer]) -> ScimServer:
    return scim_server()


@pytest.fixture
def cloudforest(tmp_path: Path, contoso: Contoso, target: ScimServer) -> Installed:
    samba = contoso.samba
    write_tree(
        tmp_path / "tree",
        source=active_directory(samba.url, samba.ca, contoso.delegated.username),
        target=scim_target(target.url),
        scope=SCOPE,
    )
    variables = {PASSWORD: contoso.delegated.password, TOKEN: target.token}
    return Installed(tmp_path / "tree", variables)


def by_user_name(target: ScimServer) -> dict[str, dict[str, Any]]:
    return {each["userName"]: each for each in target.users()}


def by_display_name(target: ScimServer) -> dict[str, dict[str, Any]]:
    return {each["displayName"]: each for each in target.groups()}


def test_exactly_the_people_and_groups_in_scope_are_created(
    cloudforest: Installed, contoso: Contoso, target: ScimServer
) -> None:
    cycle = cloudforest.up_once()

    users, groups = by_user_name(target), by_display_name(target)
    staff_names = {f"p{number:02}@contoso.com" for number in range(1, 25)}
    assert set(users) == {*staff_names, "outside@contoso.com"}
    assert set(groups) == {"Cloud Staff", "Berlin", "All of it", "Empty"}
    assert cycle["cycle"] == "initial"
    assert cycle["state"] == "succeeded"
    assert cycle["counts"]["create"] == len(users) + len(groups)

    zoe = users["p01@contoso.com"]
    assert zoe["externalId"] == contoso.samba.guid(staff(1))
    assert zoe["name"] == {"givenName": "Zoë", "familyName": "Ångström"}
    assert zoe["displayName"] == "Zoë Ångström"
    assert zoe["emails"] == [{"type": "work", "value": "p01@contoso.com"}]
    assert zoe["active"] is True
    assert users["p24@contoso.com"]["active"] is False
    sean = users["p02@contoso.com"]
    assert sean["title"] == "Engineer"
    assert {each["type"]: each["value"] for each in sean["phoneNumbers"]} == {
        "work": "+353 1 555 0102",
        "mobile": "+353 85 555 0102",
    }
    assert sean[ENTERPRISE]["department"] == "Research & Development"
    assert sean[ENTERPRISE]["employeeNumber"] == "100002"
    berlin = contoso.samba.guid(f"CN=Berlin,{GROUPS}")
    assert groups["Berlin"]["externalId"] == berlin
    assert users["p03@contoso.com"]["displayName"] == "Lee, Kim"


def test_managers_and_members_refer_only_to_resources_in_scope(
    cloudforest: Installed, target: ScimServer
) -> None:
    cloudforest.up_once()

    users, groups = by_user_name(target), by_display_name(target)
    ids = {name: each["id"] for name, each in users.items()}
    managers = {
        name: each.get(ENTERPRISE, {}).get("manager", {}).get("value")
        for name, each in users.items()
    }
    for number in range(2, 20):
        assert managers[f"p{number:02}@contoso.com"] == ids["p01@contoso.com"]
    assert managers["outside@contoso.com"] is None
    assert members(groups["Cloud Staff"]) == {
        each for name, each in ids.items() if name.startswith("p")
    }
    odd = {ids[f"p{number:02}@contoso.com"] for number in range(1, 25, 2)}
    assert members(groups["Berlin"]) == odd
    assert members(groups["All of it"]) == {groups["Cloud Staff"]["id"]}
    assert members(groups["Empty"]) == set()


def members(group: dict[str, Any]) -> set[str]:
    return {each["value"] for each in group.get("members", [])}


def test_second_run_sends_no_write(cloudforest: Installed, target: ScimServer) -> None:
    cloudforest.up_once()
    before = target.writes()

    cycle = cloudforest.up_once()

    assert target.writes() == before
    assert cycle["state"] == "succeeded"
    assert cycle["counts"]["create"] == cycle["counts"]["update"] == 0


def test_existing_people_are_adopted_and_not_duplicated(
    cloudforest: Installed, contoso: Contoso, target: ScimServer
) -> None:
    core = "urn:ietf:params:scim:schemas:core:2.0:User"
    anchor = contoso.samba.guid(staff(1))
    _, by_anchor = target.request(
        "POST",
        "/Users",
        {"schemas": [core], "userName": "old.name", "externalId": anchor},
    )
    _, by_name = target.request(
        "POST", "/Users", {"schemas": [core], "userName": "P02@contoso.com"}
    )

    counts = cloudforest.up_once()["counts"]

    users = by_user_name(target)
    assert len(users) == 25
    assert counts["adopt"] == 2
    assert users["p01@contoso.com"]["id"] == by_anchor["id"]
    adopted = next(each for each in users.values() if each["id"] == by_name["id"])
    assert adopted["externalId"] == contoso.samba.guid(staff(2))


def test_cycle_does_what_plan_counted(
    cloudforest: Installed, target: ScimServer
) -> None:
    planned = cloudforest("plan", "--format", "json", "--detailed-exitcode")
    assert planned.code == 2, planned
    assert target.writes() == 0
    impact = planned.json["impact"]["people"]

    counts = cloudforest.up_once()["counts"]

    assert {key: impact[key] for key in counts} == counts


def test_one_person_is_explained_and_provisioned(
    cloudforest: Installed, target: ScimServer
) -> None:
    """A changed mapping reaches one person on demand, and nobody else."""
    cloudforest.up_once()
    tree = cloudforest.tree / "tree.yaml"
    more = "extends: ad-user-to-scim\nattributeMappings: {nickName: '[sAMAccountName]'}"
    tree.write_text(tree.read_text().replace("extends: ad-user-to-scim", more))
    assert cloudforest("apply", "--yes").code == 0

    told = cloudforest("explain", "people", "p02@contoso.com", "--format", "json")

    assert told.code == 0, told
    steps = {each["step"]: each for each in told.json["steps"]}
    assert list(steps) == ["import", "scope", "match", "map", "act"]
    clauses = steps["scope"]["detail"]["clauses"]
    assert all(each["holds"] for each in clauses)
    assert any("employeetype" in each["clause"].lower() for each in clauses)
    assert steps["import"]["detail"]["memberOf"]["count"] > 0
    assert [each["path"] for each in steps["act"]["detail"]["changes"]] == ["nickName"]
    done = cloudforest("provision", "people", staff(2), "--format", "json")
    assert done.code == 0, done
    named = {name: each.get("nickName") for name, each in by_user_name(target).items()}
    assert [name for name, nick in named.items() if nick] == ["p02@contoso.com"]
    group = cloudforest("explain", "people", f"CN=Berlin,{GROUPS}", "--format", "json")
    imported = group.json["steps"][0]["detail"]
    assert imported["members"]["count"] >= len(imported["members"]["first"]) > 0


def test_secrets_appear_nowhere(
    cloudforest: Installed, contoso: Contoso, target: ScimServer
) -> None:
    ran = cloudforest("--verbose", "up", "--once")
    assert ran.code == 0, ran
    told = [
        ran,
        cloudforest("plan", "--out", "saved"),
        cloudforest("logs", "--format", "json"),
    ]
    told.append(cloudforest("explain", "people", "p02@contoso.com"))

    secrets = [contoso.delegated.password, target.token]
    assert not [each for each in secrets if each in "".join(map(str, told))]
    for path in cloudforest.tree.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not [each for each in secrets if each.encode() in data], path
