"""Documents are renamed and removed: the effect on the people."""

from __future__ import annotations

import html
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.servers.hostile import Asked, Hostile, HostileServer, Reply
from tests.servers.scim import TOKEN as SCIM_TOKEN
from tests.servers.scim import StartScimServer
from tests.servers.scim_server import ScimServer
from tests.support.edits import PEOPLE, edit, export, without
from tests.support.installed import (
    TOKEN,
    Installed,
    eventually,
    scim_target,
    write_tree,
)

FORMATS = ("text", "json", "markdown", "html")


def tree_at(folder: Path, url: str) -> Installed:
    write_tree(
        folder,
        source="{ldif: contoso.ldif}",
        target=scim_target(url),
        scope="organizationalUnits: all",
        more="interval: 1d",  # only the cycles that a test runs
    )
    (folder / "contoso.ldif").write_text(export())
    return Installed(folder, {TOKEN: SCIM_TOKEN})


@pytest.fixture
def target(scim_server: StartScimServer) -> ScimServer:
    return scim_server()


@pytest.fixture
def synced(tmp_path: Path, target: ScimServer) -> Installed:
    """Return a tree whose first cycle succeeded."""
    cloudforest = tree_at(tmp_path / "tree", target.url)
    assert cloudforest.up_once()["counts"]["create"] == PEOPLE + 1
    return cloudforest


def planned(cloudforest: Installed, *options: str, code: int = 0) -> Any:
    ran = cloudforest("plan", "--format", "json", *options)
    assert ran.code == code, ran
    return ran.json


def applied(cloudforest: Installed) -> None:
    ran = cloudforest("apply", "--yes")
    assert ran.code == 0, ran


def sent(target: ScimServer, cloudforest: Installed) -> tuple[int, Any]:
    """Run a cycle; return the number of writes to the target, and the counts."""
    before = target.writes()
    counts = cloudforest.up_once()["counts"]
    return target.writes() - before, counts


def rows(cloudforest: Installed, table: str, job: str) -> int:
    with sqlite3.connect(cloudforest.state / "cloudforest.db") as database:
        query = f"SELECT count(*) FROM {table} WHERE job = ?"
        [(number,)] = database.execute(query, [job])
    database.close()
    return number


def certificates(cloudforest: Installed) -> dict[str, str]:
    agents = cloudforest("agent", "status", "--format", "json").json["agents"]
    return {each["name"]: each["certificate"] for each in agents}


@contextmanager
def up(cloudforest: Installed) -> Iterator[None]:
    """Run `up`; the block starts once it serves and its agents have bootstrapped."""
    with cloudforest.running("up") as process:
        assert process.stdout is not None
        assert any("Serving" in line for line in process.stdout)
        yield


def ran_without_a_write(cloudforest: Installed, target: ScimServer, job: str) -> Any:
    """Run a cycle; return its counts."""
    before = target.writes()
    ran = cloudforest("job", "run", job, "--format", "json")
    assert ran.code == 0, ran
    assert target.writes() == before
    return ran.json["jobs"][0]["counts"]


def test_rename_of_job_target_and_agent_loses_nothing(
    synced: Installed, target: ScimServer
) -> None:
    before = certificates(synced)
    with up(synced):
        edit(
            synced,
            (
                "{kind: Target, name: cloud,",
                "{kind: Target, name: new, formerly: cloud,",
            ),
            ("Agent, name: sync01,", "Agent, name: berlin, formerly: sync01,"),
            ("kind: Job\nname: people", "kind: Job\nname: staff\nformerly: people"),
            ("target: cloud\n", "target: new\n"),
        )
        assert_plan_of_renames(planned(synced))
        applied(synced)
        counts = ran_without_a_write(synced, target, "staff")
        assert (counts["adopt"], counts["escrow"]) == (0, 0)

    assert planned(synced, "--detailed-exitcode")["changes"] == []
    counts = ran_without_a_write(synced, target, "staff")
    assert (counts["adopt"], counts["escrow"]) == (0, 0)
    assert certificates(synced) == {"berlin": before["sync01"]}
    assert [each.name for each in (synced.state / "agents").iterdir()] == ["berlin"]
    logged = synced("logs", "--job", "staff", "--format", "json").out.splitlines()
    assert {json.loads(each)["job"] for each in logged} == {"people"}

    edit(synced, ("formerly: cloud, ", ""), ("formerly: people\n", ""))
    assert planned(synced, "--detailed-exitcode")["changes"] == []


def assert_plan_of_renames(plan: Any) -> None:
    assert [(each["action"], each["name"]) for each in plan["changes"]] == [
        ("rename", "new"),
        ("rename", "berlin"),
        ("rename", "staff"),
    ]
    assert plan["changes"][2]["fields"] == [
        {"path": "name", "before": "people", "after": "staff"},
        {"path": "target", "before": "cloud", "after": "new"},
    ]
    assert plan["warnings"] == plan["consequences"] == []
    assert plan["impact"]["staff"]["unchanged"] == PEOPLE + 1
    assert plan["impact"]["staff"]["adopt"] == plan["impact"]["staff"]["create"] == 0


def test_rename_without_formerly_warns_in_every_format(
    synced: Installed,
) -> None:
    edit(synced, ("kind: Job\nname: people", "kind: Job\nname: staff"))
    for each in FORMATS:
        ran = synced("plan", "--no-impact", "--format", each)
        assert ran.code == 0, ran
        assert "formerly: people" in ran.out


def test_removed_job_leaves_its_resources_and_adopts_them_again(
    synced: Installed, target: ScimServer
) -> None:
    text = without(synced, "kind: Job")

    ran = synced("plan")
    assert ran.code == 0, ran
    assert "7 linked objects (7 created, 0 adopted) stay there unchanged" in ran.out
    [consequence] = planned(synced)["consequences"]
    assert (consequence["removed"], consequence["job"]) == ("job", "people")
    assert (consequence["created"], consequence["adopted"]) == (7, 0)

    before = target.writes()
    applied(synced)
    assert rows(synced, "source", "people") == rows(synced, "watermark", "people") == 0
    assert rows(synced, "membership", "people") == 0
    assert rows(synced, "log", "people") > 0
    assert target.writes() == before

    (synced.tree / "tree.yaml").write_text(text)
    number, counts = sent(target, synced)
    assert number == 0
    assert (counts["create"], counts["unchanged"]) == (0, PEOPLE + 1)


def test_removed_target_is_forgotten_and_its_resources_are_adopted_again(
    synced: Installed, target: ScimServer
) -> None:
    text = without(synced, "kind: Job", "{kind: Target")
    found = {each["removed"]: each for each in planned(synced)["consequences"]}
    assert found["target"]["created"] == found["job"]["created"] == PEOPLE + 1
    assert "links are forgotten" in found["target"]["sentence"]
    applied(synced)

    (synced.tree / "tree.yaml").write_text(text)
    _, counts = sent(target, synced)
    assert (counts["create"], counts["adopt"]) == (0, PEOPLE + 1)


def test_unmapped_values_and_types_stay_unchanged(
    synced: Installed, target: ScimServer
) -> None:
    edit(
        synced,
        (
            "extends: ad-user-to-scim",
            "extends: ad-user-to-scim\nattributeMappings: {title: null}",
        ),
        ("mappings: [people, groups]", "mappings: [people]"),
    )
    without(synced, "kind: Mapping\nname: groups")

    found = {each["removed"]: each for each in planned(synced)["consequences"]}

    assert found["attributes"]["attributes"] == ["title"]
    assert found["attributes"]["created"] == PEOPLE
    assert (found["type"]["type"], found["type"]["created"]) == ("group", 1)
    number, _ = sent(target, synced)
    assert number == 0
    number, _ = sent(target, synced)
    assert number == 0


TIGHT = "guard: {disables: {max: 1}}"


def test_blocked_plan_renders_in_every_format(synced: Installed) -> None:
    edit(synced, ("mappings: [people, groups]", f"mappings: [people, groups]\n{TIGHT}"))
    (synced.tree / "contoso.ldif").write_text(export(disabled=2))
    plan = planned(synced, code=3)
    [guard] = plan["guards"]
    assert (guard["guard"], guard["effects"], guard["limit"]) == ("disables", 2, 1)
    assert plan["blocked"]
    assert guard["allow"].startswith("cloudforest job allow ")
    for each in ("text", "markdown", "html"):
        ran = synced("plan", "--format", each)
        assert ran.code == 3, ran
        assert (
            "2 disables exceed the limit of 1 (guard.disables of job people)" in ran.out
        )
        assert guard["allow"] in html.unescape(ran.out)


def test_running_job_is_not_renamed(
    tmp_path: Path, hostile_server: Callable[[Hostile], HostileServer]
) -> None:
    server = hostile_server(_lets_writes_wait)
    cloudforest = tree_at(tmp_path / "tree", server.url)
    with up(cloudforest):
        edit(cloudforest, ("Job\nname: people", "Job\nname: staff\nformerly: people"))
        saved = cloudforest("plan", "--no-impact", "--out", "saved")
        assert saved.code == 0, saved
        with cloudforest.running("job", "run", "people"):
            eventually(
                lambda: any(each.method != "GET" for each in server.asked),
                "the first write",
            )
            ran = cloudforest("apply", "--plan", "saved")
        assert ran.code == 1, ran
        assert 'Job "people" is already running' in ran.err
        jobs = cloudforest("job", "list", "--format", "json").json["jobs"]
        assert [each["name"] for each in jobs] == ["people"]


def _lets_writes_wait(asked: Asked) -> Reply:
    """Answer with nearly the longest allowed Retry-After, so that the cycle lasts."""
    if asked.method != "GET":
        return Reply(429, headers={"Retry-After": "110"})
    return Reply(200, {"totalResults": 0, "Resources": []})
