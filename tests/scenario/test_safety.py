"""Mistakes and attacks that must have no effect."""

from __future__ import annotations

import json
import signal
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.servers.hostile import Hostile, HostileServer, Reply
from tests.support.installed import Installed, eventually, write_tree
from tests.support.served import ask, foresee, operator_token, served

from cloudforest.model.identity import Role

WRITES = ("POST /agents/sync01/token", "POST /jobs/nobody/run")
ROUTES = (
    *("GET /registration", "GET /status", "GET /jobs", "GET /logs"),
    *("PUT /registration", "POST /impact", "POST /impact/people/explain", *WRITES),
)

ANNA = """\
dn: DC=contoso,DC=com
objectClass: domainDNS
objectGUID:: AAAAAAAAAAAAAAAAAAAAAA==

dn: CN=Anna,DC=contoso,DC=com
objectClass: user
objectGUID:: AAAAAAAAAAAAAAAAAAAAAQ==
name: Anna
userPrincipalName: anna@contoso.com

# numEntries: 2
"""


def test_planner_cannot_send_a_secret_elsewhere(
    topology: Installed, hostile_server: Callable[[Hostile], HostileServer]
) -> None:
    assert topology("apply", "--yes").code == 0
    thief = hostile_server(lambda _asked: Reply(200, {"Resources": []}))
    with served(topology) as url:
        token = operator_token(topology, "plan")
        registration = ask(f"{url}/registration", token)["registration"]
        [target] = registration["targets"]
        stolen = {"bearer": {"file": str(topology.state / "keys/operator.token")}}
        target |= {"scim": thief.url, "auth": stolen}
        [impact] = foresee(f"{url}/impact", token, registration)["impacts"]

    assert impact["counts"] is None
    assert thief.asked == []


def test_planner_sees_what_a_removal_leaves(topology: Installed) -> None:
    assert topology("apply", "--yes").code == 0
    with served(topology) as url:
        token = operator_token(topology, "plan")
        registration = ask(f"{url}/registration", token)["registration"]
        less = {**registration, "jobs": [], "programs": {}}
        [consequence] = foresee(f"{url}/impact", token, less)["consequences"]

    assert (consequence["removed"], consequence["job"]) == ("job", "contoso-people")
    assert (consequence["created"], consequence["adopted"]) == (0, 0)


def test_names_need_a_role_that_sees_values(topology: Installed) -> None:
    assert topology("apply", "--yes").code == 0
    with served(topology) as url:
        tokens = {role: operator_token(topology, role) for role in ("plan", "read")}
        registration = ask(f"{url}/registration", tokens["read"])["registration"]
        named = f"{url}/impact?samples=names"
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(named, tokens["plan"], registration)
        said = json.load(refused.value)["error"]
        refused.value.close()
        [impact] = foresee(named, tokens["read"], registration)["impacts"]

    assert (refused.value.code, said["kind"]) == (403, "Refused")
    assert "plan --samples names" in said["message"]
    assert impact["job"] == "contoso-people"


def test_secret_references_of_documents_are_in_no_plan(topology: Installed) -> None:
    entry = (
        "attributeMappings:\n  password: 'Append(\"canary-password\", [cn])'\n"
        "  nickName: {constant: canary-constant, sensitive: true}\n"
    )
    topology.edit("attributeMappings:\n", entry)
    (topology.tree / "examples.yaml").unlink()
    told = [
        topology("plan", "--format", each, "--samples", "names", "--out", "saved")
        for each in ("text", "json", "markdown", "html")
    ]
    told.append(topology("apply", "--plan", "saved"))
    topology.edit("canary-constant", "canary-too")
    told += [topology("plan"), topology("apply", "--plan", "saved")]
    told.append(topology("logs", "--audit", "--format", "json"))

    assert [each.code for each in told] == [0] * 6 + [1, 0], told
    assert "(sensitive)" in told[5].out
    pages = [*map(str, told), (topology.tree / "saved").read_text()]
    assert [each for each in pages if "canary" in each] == []


def test_edited_plan_is_refused(topology: Installed) -> None:
    topology("plan", "--out", "saved", "--no-impact")
    file = topology.tree / "saved"
    plan = json.loads(file.read_text())
    plan["saved"]["commit"] = "a" * 40
    file.write_text(json.dumps(plan))

    ran = topology("apply", "--plan", "saved")

    assert ran.code == 1
    assert "was edited after it was saved" in ran.err
    assert topology("job", "list", "--format", "json").json == {"jobs": []}


def test_up_is_refused_when_the_tree_names_a_control_plane(
    topology: Installed,
) -> None:
    service = "service: {url: 'http://127.0.0.1:1', token: {env: NOPE}}"
    topology.edit("service: embedded ", service + " ")
    ran = topology("up", "--once")
    assert ran.code == 1
    assert "http://127.0.0.1:1" in ran.err
    assert not topology.state.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)]
)
def test_up_ends_on_a_signal_with_its_exit_code(
    topology: Installed, number: signal.Signals, code: int
) -> None:
    with topology.running("up") as process:
        eventually((topology.state / "serve.json").exists, "serve.json")
        assert process.stdout is not None
        for line in process.stdout:
            if "Serving" in line:
                break
        process.send_signal(number)
        process.wait(90)
    assert process.returncode == code


def test_plan_reports_an_unreadable_directory(
    topology: Installed,
) -> None:
    (topology.tree / "data" / "contoso.ldif").unlink()
    ran = topology("plan", "--format", "json")
    assert ran.code == 5
    assert "contoso.ldif" in ran.json["impact"]["contoso-people"]["unknown"]


def test_plan_succeeds_before_a_remote_agent_enrols(topology: Installed) -> None:
    topology.edit("run: local", "run: remote")
    ran = topology("plan", "--format", "json")
    assert ran.code == 0, ran
    assert ran.json["impact"]["contoso-people"]["unknown"]


def test_status_of_a_folder_without_state_creates_nothing(tmp_path: Path) -> None:
    ran = Installed(tmp_path)("status", "--state", str(tmp_path))
    assert ran.code == 1
    assert list(tmp_path.iterdir()) == []


def test_bug_of_the_control_plane_is_reported_as_a_bug(topology: Installed) -> None:
    assert topology("apply", "--yes").code == 0
    with served(topology):
        with sqlite3.connect(topology.state / "cloudforest.db") as database:
            database.execute("UPDATE registration SET body = x'00'")
        database.close()
        ran = topology("job", "run", "contoso-people", "--format", "json")
    assert ran.code == 70, ran
    # `serve` may already have hit it, and the command may hit it itself.
    assert "bug in" in ran.err
    assert "Traceback" not in ran.err


def test_secret_file_is_found_beside_its_document(
    tmp_path: Path, hostile_server: Callable[[Hostile], HostileServer]
) -> None:
    server = hostile_server(lambda _asked: Reply(200, {"Resources": []}))
    tree = tmp_path / "tree"
    write_tree(
        tree,
        source="{ldif: contoso.ldif}",
        target=f"scim: '{server.url}', auth: {{bearer: {{file: secret.txt}}}}",
        scope="organizationalUnits: all",
    )
    (tree / "secret.txt").write_text("from-the-file\n")
    (tree / "contoso.ldif").write_text(ANNA)

    ran = Installed(tmp_path)("plan", "tree", "--format", "json")

    assert ran.code == 0, ran
    assert server.asked[0].headers["Authorization"] == "Bearer from-the-file"


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        ("read", {"PUT /registration", "POST /impact", *WRITES}),
        ("plan", {"PUT /registration", "POST /impact/people/explain", *WRITES}),
        ("apply", set()),
    ],
)
def test_role_permits_what_it_includes(
    topology: Installed, role: Role, refused: set[str]
) -> None:
    assert topology("apply", "--yes").code == 0
    with served(topology) as url:
        token = operator_token(topology, role)
        answers = {each: status(url, token, each) for each in ROUTES}

    assert {each for each, code in answers.items() if code == 403} == refused
    assert 401 not in answers.values()


def status(url: str, token: str, route: str) -> int:
    method, path = route.split(" ")
    return sent(url + path, token, method, {}, revision='"1"')


def sent(url: str, token: str, method: str, body: Any, *, revision: str) -> int:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if method == "GET" else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "If-Match": revision},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(("revision", "code"), [('"0"', 412), ("", 422), ('"1"', 200)])
def test_registration_is_replaced_only_at_its_revision(
    topology: Installed, revision: str, code: int
) -> None:
    assert topology("apply", "--yes").code == 0
    with served(topology) as url:
        token = (topology.state / "keys" / "operator.token").read_text()
        held = ask(f"{url}/registration", token)["registration"]
        found = sent(f"{url}/registration", token, "PUT", held, revision=revision)
        after = ask(f"{url}/registration", token)["revision"]

    assert found == code
    assert after == (2 if code == 200 else 1)
