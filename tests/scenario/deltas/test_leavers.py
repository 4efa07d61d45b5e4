"""Forty of sixty people are deleted: what an operator sees, decides and causes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.lab import Lab
from tests.support.sent import disabled, renamed


def command(lab: Lab, *arguments: str, code: int = 0) -> Any:
    ran = lab.service.installed(*arguments, "--format", "json")
    assert ran.code == code, ran
    return ran.json


def tree_of(lab: Lab) -> tuple[str, ...]:
    return (str(lab.tree), "--state", str(lab.service.installed.state))


@pytest.fixture
def people(lab: Lab) -> list[str]:
    made = lab.people(*(f"p{number:02}" for number in range(60)))
    lab.cycle()
    return made


def test_forty_deletions_are_blocked_shown_allowed_and_written(
    lab: Lab, people: list[str]
) -> None:
    guid = lab.guid(people[0])
    for each in people[:40]:
        lab.delete(each)
    lab.modify(people[50], displayName=["Fifty"])

    before = lab.target.writes()
    ran = command(lab, "job", "run", lab.name, code=3)
    [cycle] = ran["jobs"]
    assert cycle["state"] == "blocked"
    assert cycle["counts"]["staged"] == 40
    assert cycle["counts"]["disable"] == 0
    assert lab.target.writes() == before + 1
    assert lab.users()["p50"]["displayName"] == "Fifty"
    assert all(each["active"] for each in lab.users().values())

    [stage] = command(lab, "job", "staged", lab.name)["stages"]
    assert (stage["job"], stage["guard"]) == (lab.name, "disables")
    assert (stage["effects"], stage["limit"]) == (40, 12)
    assert lab.cycle("blocked") == []
    assert command(lab, "job", "staged", lab.name)["stages"] == [stage]

    lab.reanimate(guid, people[0])
    lab.restore(people[0])
    allow = ("job", "allow", stage["stage"], "--until", "2h", "--by", "Ada")
    command(lab, *allow)
    sent = lab.cycle()

    assert sent == [disabled(f"p{number:02}") for number in range(1, 40)]
    assert lab.users()["p00"]["active"] is True
    entries = command_lines(lab, "logs", "--job", lab.name, "--object", guid)
    assert "moot" in str(entries[-1]), entries
    assert command(lab, "job", "staged", lab.name)["stages"] == []
    lab.settled()


def command_lines(lab: Lab, *arguments: str) -> list[dict[str, Any]]:
    ran = lab.service.installed(*arguments, "--format", "json")
    assert ran.code == 0, ran
    return [json.loads(line) for line in ran.out.splitlines()]


def test_discarded_stage_is_not_staged_again(lab: Lab, people: list[str]) -> None:
    for each in people[:20]:
        lab.delete(each)
    assert lab.cycle("blocked") == []
    [stage] = command(lab, "job", "staged", lab.name)["stages"]

    command(lab, "job", "discard", stage["stage"])

    assert lab.cycle() == []
    assert command(lab, "job", "staged", lab.name)["stages"] == []
    assert all(each["active"] for each in lab.users().values())
    lab.modify(people[30], displayName=["Thirty"])
    assert lab.cycle() == [renamed("p30", "Thirty")]


def test_memberships_of_deleted_people_wait_for_the_decision(
    lab: Lab, people: list[str]
) -> None:
    lab.group("all", *people)
    lab.cycle()
    for each in people[:20]:
        lab.delete(each)

    assert lab.cycle("blocked") == []
    assert len(lab.groups()["all"]) == 60

    # The removals wait for the disables, and a plan still names their guard.
    file = lab.tree / "tree.yaml"
    file.write_text(file.read_text().replace("enabled: false", "enabled: true"))
    guards = [
        each
        for each in command(lab, "plan", *tree_of(lab), code=3)["guards"]
        if each["job"] == lab.name
    ]
    assert [(each["guard"], each["effects"], each["follows"]) for each in guards] == [
        ("disables", 20, False),
        ("memberRemovals", 20, True),
    ]
    for each in guards:
        digest = each["allow"].split()[3]
        command(lab, "job", "allow", digest, "--until", "2h", "--by", "Ada")
    lab.last = lab.service.run(lab.name)
    assert lab.last["state"] == "succeeded", lab.last
    assert len(lab.groups()["all"]) == 40
    assert sum(not each["active"] for each in lab.users().values()) == 20
    lab.settled()


def test_explain_shows_the_effect_of_a_branch_on_one_person(lab: Lab) -> None:
    """The documents narrow the scope, and nobody applies them."""
    scope = f"organizationalUnits: ['{lab.unit}']"
    anna, _ = lab.people("anna", "bo")
    lab.cycle()
    lab.modify(anna, title=["Clerk"])
    lab.cycle()
    file = lab.tree / "tree.yaml"
    narrow = """, filters: {user: 'cn pr and title ne "Clerk"'}"""
    text = file.read_text()
    assert scope in text
    file.write_text(text.replace(scope, scope + narrow))
    writes = lab.target.writes()

    acts = {}
    for name in ("anna", "bo"):
        who = f"{name}@{lab.name}.contoso.com"
        told = command(lab, "explain", lab.name, who, "--planned", *tree_of(lab))
        acts[name] = told["steps"][-1]

    assert acts["anna"]["result"] == "disable"
    clause = 'leaves scope: filters.user clause 2: title ne "Clerk"'
    assert acts["anna"]["detail"]["because"] == clause
    assert acts["bo"]["result"] == "nothing"
    assert lab.target.writes() == writes
    assert lab.cycle() == []


def test_adopted_resource_is_never_deleted(lab: Lab) -> None:
    lab.declare(mapping="extends: ad-user-to-scim\ndeprovision: {deleted: delete}")
    core = "urn:ietf:params:scim:schemas:core:2.0:User"
    there = {"schemas": [core], "userName": f"anna@{lab.name}.contoso.com"}
    lab.target.request("POST", "/Users", there)
    anna, bo = lab.people("anna", "bo")
    lab.cycle()
    lab.delete(anna)
    lab.delete(bo)

    sent = lab.cycle()

    assert [(each.method, each.path) for each in sent] == [
        ("DELETE", "/Users/bo"),
        ("PATCH", "/Users/anna"),
    ]
    assert lab.users()["anna"]["active"] is False
    assert set(lab.users()) == {"anna"}
    lab.settled()


def test_person_in_another_job_of_the_target_stays_active(lab: Lab) -> None:
    inside = lab.ou("inside")
    second = f"{lab.name}-second"
    lab.declare(
        f"organizationalUnits: ['{inside}']",
        more=f"""\
---
{{kind: Scope, name: all, organizationalUnits: ['{lab.unit}']}}
---
kind: Job
name: {second}
domain: contoso.com
target: cloud-{lab.name}
scope: all
mappings: [people, groups]
interval: 24h
enabled: false
""",
    )
    anna = lab.person("anna", inside)
    lab.person("bo", inside)
    lab.cycle()
    assert lab.service.run(second)["state"] == "succeeded"
    assert len(lab.users()) == 2

    anna = lab.move(anna, lab.unit)
    assert lab.cycle() == []
    assert lab.service.run(second)["counts"]["disable"] == 0
    assert lab.users()["anna"]["active"] is True

    lab.delete(anna)
    lab.cycle()
    lab.service.run(second)
    lab.cycle()
    assert lab.users()["anna"]["active"] is False
