"""`kill -9` of the control plane during an initial cycle of 500 people."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers.scim import ScimServer
from tests.support.installed import (
    TOKEN,
    Installed,
    alive,
    descendants,
    eventually,
    scim_target,
    write_tree,
)

REPOSITORY = Path(__file__).parents[3]
PEOPLE = 500


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forest") / "contoso.ldif"
    script = REPOSITORY / "scripts" / "make_forest.py"
    subprocess.run(
        [sys.executable, script, "--people", str(PEOPLE), "--out", path], check=True
    )
    return path


@pytest.fixture
def target(scim_server: Callable[[], ScimServer]) -> ScimServer:
    return scim_server()


@pytest.fixture
def cloudforest(tmp_path: Path, export: Path, target: ScimServer) -> Installed:
    write_tree(
        tmp_path / "tree",
        source=f"{{ldif: {export.name}}}",
        target=scim_target(target.url),
        scope="organizationalUnits: all",
    )
    (tmp_path / "tree" / export.name).symlink_to(export)
    return Installed(tmp_path / "tree", {TOKEN: target.token})


@pytest.mark.parametrize("writes", [0, 1, 60, 250, 480, 400])
def test_next_run_converges_without_duplicates_or_orphans(
    writes: int, cloudforest: Installed, target: ScimServer
) -> None:
    with cloudforest.running("up", "--once") as process:
        eventually(lambda: sum(target.counts().values()) > 0, "the first request")
        eventually(lambda: target.writes() >= writes, f"the {writes}th write")
        children = descendants(process.pid)
        assert process.poll() is None
        assert children
        process.kill()
        process.wait()
        eventually(
            lambda: not [pid for pid in children if alive(pid)],
            "the end of all children",
        )

    first = cloudforest.up_once()
    users, groups = target.users(), target.groups()
    before = target.writes()
    second = cloudforest.up_once()

    assert first["state"] == second["state"] == "succeeded"
    assert target.writes() == before
    assert len(users) + len(groups) == second["counts"]["inScope"]
    for attribute, resources in (("userName", users), ("externalId", users + groups)):
        counted = Counter(each[attribute] for each in resources)
        assert [name for name, number in counted.items() if number > 1] == []
    assert managed(users) > 0
    assert sum(len(each.get("members", [])) for each in groups) > PEOPLE


def managed(users: list[dict]) -> int:
    key = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    return sum("manager" in each.get(key, {}) for each in users)


def test_killed_serve_converges(cloudforest: Installed, target: ScimServer) -> None:
    with cloudforest.running("up") as process:
        eventually(lambda: target.writes() >= 100, "the hundredth write")
        assert process.poll() is None
        process.kill()
        process.wait()

    ran = cloudforest("job", "run", "people", "--format", "json")

    assert ran.code == 0, ran
    users, groups = target.users(), target.groups()
    assert len(users) + len(groups) == ran.json["jobs"][0]["counts"]["inScope"]
    assert len({each["externalId"] for each in users}) == len(users)
