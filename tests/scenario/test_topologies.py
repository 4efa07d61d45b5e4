"""Each shipped topology runs unchanged, and its change is planned as reviewed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.golden.rewrite import CHANGES, TOPOLOGIES, changed, copied
from tests.golden.schema import validator
from tests.support.installed import Installed

PILOT = next(each for each in TOPOLOGIES if each.name == "existing-hybrid-pilot")
WRITES = ("create", "update", "adopt", "disable", "delete", "memberAdd", "memberRemove")


def cycles(cloudforest: Installed) -> list[Any]:
    ran = cloudforest("up", "--once", "--format", "json")
    assert ran.code == 0, ran
    return ran.json["jobs"]


def written(cycles: list[Any]) -> int:
    return sum(each["counts"][key] for each in cycles for key in WRITES)


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_topology_runs_and_its_change_is_planned_as_reviewed(
    topology: Path, tmp_path: Path
) -> None:
    """To accept a new plan: run `python -m tests.golden.rewrite`, review the diff."""
    cloudforest = copied(topology, tmp_path)
    first, second = cycles(cloudforest), cycles(cloudforest)
    assert {each["state"] for each in first + second} == {"succeeded"}
    assert written(first) > 0
    assert written(second) == sum(each["requests"] for each in second) == 0

    for ending, plan in changed(cloudforest).items():
        golden = CHANGES / f"{topology.name}.{ending}"
        assert plan == golden.read_text(encoding="utf-8"), golden


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_plan_of_a_topology_matches_its_schema(topology: Path) -> None:
    golden = (CHANGES / f"{topology.name}.json").read_text(encoding="utf-8")
    errors = validator().iter_errors(json.loads(golden))
    assert list(errors) == []


def test_every_golden_change_has_a_topology() -> None:
    found = sorted(each.name for each in CHANGES.iterdir())
    endings = ("diff", "html", "json", "md", "txt")
    assert found == [f"{each.name}.{end}" for each in TOPOLOGIES for end in endings]


def test_pilot_adopts_its_five_people_and_touches_nobody_else(tmp_path: Path) -> None:
    cloudforest = copied(PILOT, tmp_path)
    [cycle] = cycles(cloudforest)
    assert (cycle["counts"]["adopt"], cycle["counts"]["create"]) == (5, 0)
    assert written([cycle]) == 5

    file = cloudforest.tree / "data" / "contoso.ldif"
    text = file.read_text()
    member = "member: CN=Ada Lovelace,OU=People,DC=contoso,DC=com\n"
    assert text.count(member) == 1
    disabled = text.replace("userAccountControl: 512", "userAccountControl: 514")
    file.write_text(disabled.replace(member, ""))
    assert written(cycles(cloudforest)) == 0


def test_pilot_stages_its_five_people_when_they_are_not_in_the_target(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(PILOT, tree, ignore=shutil.ignore_patterns(".*"))
    ran = Installed(tree)("plan", "--format", "json")
    impact = ran.json["impact"]["pilot"]
    assert (ran.code, impact["adopt"]) == (3, 0)
    assert (impact["create"], impact["staged"]) == (0, 5)


def test_pilot_stages_people_without_a_match(tmp_path: Path) -> None:
    cloudforest = copied(PILOT, tmp_path)
    cycles(cloudforest)
    file = cloudforest.tree / "data" / "contoso.ldif"
    text = file.read_text()
    dn = "CN=New,OU=People,DC=contoso,DC=com"
    member = "member: CN=Ada Lovelace,OU=People,DC=contoso,DC=com\n"
    more = (
        f"dn: {dn}\nobjectClass: user\nobjectGUID:: AAAAAAAAAAAAAAAAAAAAAQ==\n"
        "sAMAccountName: new\nuserPrincipalName: new@contoso.com\n\n# search result\n"
    )
    text = text.replace(member, f"{member}member: {dn}\n")
    text = text.replace("# search result\n", more)
    file.write_text(text.replace("numEntries: 18", "numEntries: 19"))

    ran = cloudforest("up", "--once", "--format", "json")

    assert ran.code == 3, ran
    counts = ran.json["jobs"][0]["counts"]
    assert (counts["create"], counts["staged"]) == (0, 1)
