"""A job is paused, restarted, killed, and waits for its target."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.servers.hostile import Asked, Hostile, HostileServer, Reply
from tests.support.installed import Installed, eventually, scim_target, write_tree

SECOND = """\
---
{kind: Job, name: second, domain: contoso.com, target: cloud, scope: staff,
 mappings: [people]}
"""


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def entry(number: int, dn: str, kind: str, *lines: str) -> str:
    octets = base64.b64encode(uuid.UUID(guid(number)).bytes_le).decode()
    head = (f"dn: {dn}", f"objectClass: {kind}", f"objectGUID:: {octets}")
    return "\n".join([*head, *lines, "", ""])


def person(number: int) -> str:
    name = f"Person {number}"
    lines = (f"name: {name}", f"userPrincipalName: p{number}@contoso.com")
    return entry(number, f"CN={name},DC=contoso,DC=com", "user", *lines)


def forest(people: int) -> str:
    head = entry(999, "DC=contoso,DC=com", "domainDNS")
    return f"{head}{''.join(map(person, range(people)))}# numEntries: {people + 1}\n"


class Scim:
    """A small SCIM service that a test can make fail or refuse."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.refused: int | None = None
        self.users: dict[str, Any] = {}

    def answer(self, asked: Asked) -> Reply:
        if self.status is not None:
            return Reply(self.status)
        if asked.method == "POST":
            if self.refused is not None:
                return Reply(self.refused)
            id_ = str(len(self.users) + 1)
            self.users[id_] = {**asked.body, "id": id_}
            return Reply(201, self.users[id_])
        found = list(self.users.values()) if asked.path == "/Users" else []
        return Reply(200, {"totalResults": len(found), "Resources": found})


@pytest.fixture
def scim() -> Scim:
    return Scim()


@pytest.fixture
def tree(
    tmp_path: Path, scim: Scim, hostile_server: Callable[[Hostile], HostileServer]
) -> Installed:
    """Return the command in a tree of ten people, whose target a test controls."""
    folder = tmp_path / "tree"
    write_tree(
        folder,
        source="{ldif: contoso.ldif}",
        target=scim_target(hostile_server(scim.answer).url),
        scope="organizationalUnits: all",
        more="interval: 1h\n" + SECOND,
    )
    (folder / "contoso.ldif").write_text(forest(10))
    return Installed(folder, {"SCIM_TOKEN": "secret"})


def job(tree: Installed, name: str = "people") -> Any:
    ran = tree("status", "--format", "json")
    assert ran.code == 0, ran
    # The control plane answers shortly before the job is registered.
    return next((each for each in ran.json["jobs"] if each["name"] == name), None)


def ended(tree: Installed, *states: str, name: str = "people") -> Any:
    """Return the job once its state is one of these."""

    def look() -> Any:
        found = job(tree, name) if (tree.state / "serve.json").exists() else None
        return found if found and found["state"] in states else None

    return eventually(look, f"{name} {states}", seconds=120)


def test_pause_survives_a_kill_and_ends_on_resume(tree: Installed, scim: Scim) -> None:
    with tree.running("up") as process:
        first = ended(tree, "succeeded")
        assert first["nextCycle"] > first["lastCycle"]
        assert tree("job", "pause", "people").code == 0
        process.kill()
    (tree.state / "serve.json").unlink(missing_ok=True)

    with tree.running("up"):
        ended(tree, "succeeded", name="second")
        eventually(
            lambda: job(tree, "second")["lastCycle"] > first["lastCycle"],
            "a cycle of the other job",
        )
        other = ended(tree, "succeeded", name="second")
        paused = job(tree)
        assert paused["state"] == "paused"
        assert paused["lastCycle"] == first["lastCycle"]
        assert paused["nextCycle"] is None
        assert paused["paused"]["by"].startswith("local (")
        assert other["nextCycle"] is not None

        assert tree("job", "start", "people").code == 0
        eventually(
            lambda: job(tree)["lastCycle"] > first["lastCycle"], "a cycle after start"
        )
        assert ended(tree, "succeeded")["paused"] is None
    assert len(scim.users) == 10


def test_paused_job_is_skipped_by_up_once_and_runs_on_demand(tree: Installed) -> None:
    assert tree("apply", "--yes").code == 0
    assert tree("job", "pause", "people").code == 0
    ran = tree("up", "--once", "--format", "json")
    assert [each["job"] for each in ran.json["jobs"]] == ["second"]
    assert '"people" is paused' in ran.err

    ran = tree("job", "run", "people", "--format", "json")
    assert ran.json["jobs"][0]["state"] == "succeeded"
    assert job(tree)["state"] == "paused"


@pytest.mark.parametrize("status", [503, 401])
def test_all_jobs_wait_for_a_target_that_is_down(
    tree: Installed, scim: Scim, status: int
) -> None:
    scim.status = status
    assert tree("up", "--once").code == 5
    held = job(tree)
    assert held["state"] == "failed"
    assert held["escrow"] == 0
    assert job(tree, "second")["breaker"] == held["breaker"]
    assert held["breaker"]["next"] > held["breaker"]["since"]

    scim.status = None
    ran = tree("job", "run", "people", "--format", "json")
    assert ran.json["jobs"][0]["state"] == "succeeded"
    assert len(scim.users) == 10
    assert job(tree)["breaker"] is None


def test_escrow_is_listed_and_retried_and_quarantine_is_lifted(
    tree: Installed, scim: Scim
) -> None:
    scim.refused = 400
    assert tree("up", "--once").code == 4
    slowed = job(tree)
    assert slowed["state"] == "quarantined"
    assert "10 of 10 objects" in slowed["quarantine"]["reason"]

    held = tree("job", "escrow", "people", "--format", "json").json["escrow"]
    assert len(held) == 10
    first = held[0]
    assert first["object"] == guid(0)
    assert first["name"] == "CN=Person 0,DC=contoso,DC=com"
    assert first["attempts"] == 1
    assert "400" in first["reason"]
    assert first["next"] is not None

    nobody = tree("job", "escrow", "people", "--retry", "nobody")
    assert (nobody.code, '"nobody" is not in escrow' in nobody.err) == (1, True)
    scim.refused = None
    one = tree("job", "escrow", "people", "--retry", first["object"])
    assert one.code == 0, one
    assert tree("job", "run", "people").code == 4
    assert len(scim.users) == 1

    restarted = tree(
        *("job", "restart", "people", "--reset", "Escrows,QuarantineState"),
        *("--format", "json"),
    )
    assert restarted.json["reset"] == ["Escrows", "QuarantineState"]
    assert tree("job", "run", "people").code == 0
    assert len(scim.users) == 10
    assert job(tree)["state"] == "succeeded"


def test_full_restart_creates_no_duplicates(tree: Installed, scim: Scim) -> None:
    assert tree("up", "--once").code == 0
    users = dict(scim.users)
    restarted = tree("job", "restart", "people", "--reset", "Full", "--format", "json")
    assert restarted.json["reset"] == [
        *("ConnectorDataStore", "Escrows", "QuarantineState", "Watermark")
    ]

    [cycle] = tree("job", "run", "people", "--format", "json").json["jobs"]

    assert (cycle["cycle"], cycle["state"]) == ("initial", "succeeded")
    assert cycle["counts"]["create"] == 0
    assert scim.users == users


def test_impossible_requests_are_refused_with_a_reason(tree: Installed) -> None:
    assert tree("apply", "--yes").code == 0
    wrong = tree("job", "restart", "people", "--reset", "Everything")
    assert wrong.code == 64
    assert "Unknown reset scope: Everything" in wrong.err
    for command in ("pause", "start", "restart", "escrow"):
        ran = tree("job", command, "nobody")
        assert ran.code == 1
        assert "nobody" in ran.err
