"""Drift, with the installed command and a third-party SCIM server."""

from __future__ import annotations

import html
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.servers.scim import StartScimServer
from tests.servers.scim_server import ScimServer
from tests.support.exports import (
    BASE,
    entry,
    exported,
    group,
    guid_of,
    person,
    write_export,
)
from tests.support.installed import TOKEN, Installed, scim_target, write_tree
from tests.support.served import ask, operator_token, served

TEAM = ("anna", "bert", "carl")
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def _patch(server: ScimServer, path: str, operation: dict[str, Any]) -> None:
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    status, answer = server.request("PATCH", path, body)
    assert status in {200, 204}, answer


def _change_outside(server: ScimServer) -> dict[str, str]:
    """Change a person, delete another, remove a third from the group; return ids."""
    ids = {each["userName"].partition("@")[0]: each["id"] for each in server.users()}
    (team,) = server.groups()
    title = {"op": "replace", "path": "title", "value": "King"}
    _patch(server, f"/Users/{ids['anna']}", title)
    assert server.request("DELETE", f"/Users/{ids['bert']}")[0] == 204
    left = {"op": "remove", "path": f'members[value eq "{ids["carl"]}"]'}
    _patch(server, f"/Groups/{team['id']}", left)
    return ids


def _drift_without_repair(url: str, token: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{url}/jobs/people/drift",
        data=b'{"repair": false}',
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [json.loads(line) for line in answer]


def _a_pipeline_sees_no_names(cloudforest: Installed) -> None:
    with served(cloudforest) as url:
        token = operator_token(cloudforest, "plan")
        told = _drift_without_repair(url, token)
        assert told[-1] == {"ended": {"checked": 4, "repaired": 0}}
        assert {each["drifted"]["name"] for each in told[:-1]} == {None}
        assert "King" not in str(told)
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(
                f"{url}/jobs/people/drift",
                operator_token(cloudforest, "read"),
                {"repair": True},
            )
        assert refused.value.code == 403
        refused.value.close()


def _synced(folder: Path, server: ScimServer) -> Installed:
    write_tree(
        folder,
        source="{ldif: contoso.ldif}",
        target=scim_target(server.url),
        scope="organizationalUnits: all",
    )
    people = [person(each, title="Clerk") for each in TEAM]
    write_export(folder, *people, group("team", *TEAM))
    cloudforest = Installed(folder, {TOKEN: server.token})
    cloudforest.up_once()
    return cloudforest


def _assert_reported(drifted: list[dict[str, Any]], ids: dict[str, str]) -> None:
    found = {(each["object"], each["kind"]): each for each in drifted}
    assert found.keys() == {
        (guid_of("anna"), "attributes"),
        (guid_of("bert"), "missing"),
        (guid_of("team"), "members"),
    }
    (title,) = found[guid_of("anna"), "attributes"]["attributes"]
    assert title == {
        "path": "title",
        "desired": "Clerk",
        "written": "Clerk",
        "actual": "King",
        "cause": "changed outside",
    }
    assert found[guid_of("bert"), "missing"]["resource"] == ids["bert"]
    assert found[guid_of("team"), "members"]["name"] == f"CN=team,{BASE}"


def _assert_as_desired(server: ScimServer) -> None:
    people = server.users()
    assert {each["title"] for each in people} == {"Clerk"}
    (team,) = server.groups()
    members = {each["value"] for each in team["members"]}
    assert members >= {each["id"] for each in people}
    assert len(people) == len(TEAM)


def test_drift_is_reported_and_repaired(
    tmp_path: Path, scim_server: StartScimServer
) -> None:
    server = scim_server()
    cloudforest = _synced(tmp_path, server)
    writes = server.writes()
    none = cloudforest("drift", "people", "--format", "json")
    assert none.code == 0, none
    assert none.json == {"job": "people", "checked": 4, "repaired": 0, "drifted": []}
    assert server.writes() == writes
    ids = _change_outside(server)

    found = cloudforest("drift", "people", "--format", "json")

    assert found.code == 2, found
    _assert_reported(found.json["drifted"], ids)
    _a_pipeline_sees_no_names(cloudforest)
    repaired = cloudforest("drift", "people", "--repair", "--format", "json")
    assert repaired.code == 0, repaired
    assert repaired.json["repaired"] == 3
    assert repaired.json["cycle"]["counts"]["create"] == 1
    again = cloudforest("drift", "people")
    assert again.code == 0, again
    _assert_as_desired(server)


OU = f"OU=People,{BASE}"


def _ou(name: str) -> str:
    """Return the OU, with an objectGUID derived from a name."""
    other = entry(f"OU={name},{BASE}", "organizationalUnit")
    return other.replace(f"dn: OU={name},", "dn: OU=People,")


def test_plan_and_cycle_refuse_another_ou_with_the_dn_of_the_scope(
    tmp_path: Path,
) -> None:
    anna = person("anna").replace(f"CN=anna,{BASE}", f"CN=anna,{OU}")
    cloudforest = exported(
        tmp_path, _ou("People"), anna, scope=f"organizationalUnits: ['{OU}']"
    )
    cloudforest.up_once()
    write_export(tmp_path, _ou("Others"))

    planned = cloudforest("plan", "--format", "json")

    assert planned.code == 5, planned
    sentence = f"{OU} now resolves to another object"
    assert sentence in planned.json["impact"]["people"]["unknown"]
    title = "no changes; the next cycle of people cannot be evaluated"
    for each in ("text", "markdown", "html"):
        assert title in html.unescape(cloudforest("plan", "--format", each).out)
    ran = cloudforest("job", "run", "people")
    assert ran.code == 1, ran
    assert sentence in ran.err
    assert "asking again" not in ran.err
