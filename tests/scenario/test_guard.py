"""The guard, with the installed command: effects are staged, allowed or discarded."""

from __future__ import annotations

import sqlite3
import urllib.error
from pathlib import Path

import pytest
from tests.support.exports import exported, group, guid_of, person, write_export
from tests.support.installed import Installed
from tests.support.served import ask, operator_token, served

TIGHT = "guard: {disables: {max: 1}}"
TEAM = ("anna", "bert", "carl", "dora")


def _team(folder: Path) -> Installed:
    people = [person(each) for each in TEAM]
    cloudforest = exported(folder, *people, group("team", *TEAM), more=TIGHT)
    cloudforest.up_once()
    return cloudforest


def _three_leave(folder: Path) -> None:
    write_export(folder, person("anna"), group("team", "anna"))


def _writes(cloudforest: Installed) -> int:
    ran = cloudforest("logs", "--status", "success", "--format", "json")
    return len(ran.out.splitlines())


def _refused(cloudforest: Installed, stage: str) -> None:
    """Assert that unknown stages and incomplete allowances are refused."""
    unknown = cloudforest("job", "allow", "ffffff", "--until", "2h", "--by", "Ann")
    assert (unknown.code, stage in unknown.err) == (1, True)
    nobody = cloudforest("job", "allow", stage, "--until", "2h", "--by", "")
    assert (nobody.code, "--by" in nobody.err) == (1, True)
    mistyped = cloudforest("job", "staged", "poeple")
    assert (mistyped.code, "poeple" in mistyped.err) == (1, True)
    assert cloudforest("job", "allow", stage, "--by", "Ann").code == 64
    past = cloudforest("job", "allow", stage, "--until", "2020-01-01", "--by", "Ann")
    assert past.code == 1


def test_staged_effects_are_allowed_and_written(tmp_path: Path) -> None:
    cloudforest = _team(tmp_path)
    before = _writes(cloudforest)
    _three_leave(tmp_path)

    blocked = cloudforest("up", "--once", "--format", "json")

    assert blocked.code == 3, blocked
    (job,) = blocked.json["jobs"]
    assert (job["state"], job["counts"]["staged"], job["counts"]["disable"]) == (
        "blocked",
        3,
        0,
    )
    assert _writes(cloudforest) == before
    listed = cloudforest("job", "staged", "people", "--objects", "--format", "json")
    (stage,) = listed.json["stages"]
    assert (stage["guard"], stage["effects"], stage["limit"]) == ("disables", 3, 1)
    assert stage["what"] == {"disable": 3}
    assert {each["object"] for each in stage["objects"]} == {
        guid_of(each) for each in TEAM[1:]
    }
    shown = cloudforest("job", "staged", "--objects")
    assert stage["allow"] in shown.out
    assert "CN=bert" in shown.out

    _refused(cloudforest, stage["stage"])
    allowed = cloudforest(
        *("job", "allow", stage["stage"][:6], "--until", "2h", "--by", "Ann")
    )
    assert allowed.code == 0, allowed
    with sqlite3.connect(cloudforest.state / "cloudforest.db") as connection:
        audit = connection.execute("select action, detail from audit").fetchall()
    assert any(action == "job allow" and "by Ann" in said for action, said in audit)

    done = cloudforest.up_once()

    assert (done["state"], done["counts"]["disable"]) == ("succeeded", 3)
    assert done["counts"]["memberRemove"] == 3
    assert cloudforest("job", "staged", "--format", "json").json == {"stages": []}
    quiet = cloudforest.up_once()
    assert (quiet["counts"]["disable"], quiet["counts"]["staged"]) == (0, 0)


def test_stage_named_by_a_plan_can_be_allowed_in_advance(tmp_path: Path) -> None:
    cloudforest = _team(tmp_path)
    _three_leave(tmp_path)

    plan = cloudforest("plan", "--format", "json")

    assert (plan.code, plan.json["blocked"]) == (3, True)
    (guard,) = plan.json["guards"]
    assert (guard["guard"], guard["effects"], guard["limit"]) == ("disables", 3, 1)
    command = guard["allow"].split()
    assert command[:3] == ["cloudforest", "job", "allow"]
    assert len(command[3]) == 64
    said = cloudforest(*command[1:])
    assert said.code == 0, said
    assert "does not exist yet" in said.out
    again = cloudforest("plan", "--format", "json")
    assert (again.code, again.json["guards"]) == (0, [])
    assert cloudforest.up_once()["counts"]["disable"] == 3


def test_plan_names_a_second_guard_behind_the_first(tmp_path: Path) -> None:
    cloudforest = _team(tmp_path)
    tree = tmp_path / "tree.yaml"
    tighter = "guard: {disables: {max: 1}, memberRemovals: {max: 2}}"
    tree.write_text(tree.read_text().replace(TIGHT, tighter))
    _three_leave(tmp_path)
    state = ("--state", str(cloudforest.state))

    plan = cloudforest("plan", "--out", "change.plan", "--format", "json", *state)

    assert plan.code == 3, plan
    guards = plan.json["guards"]
    told = [(each["guard"], each["effects"], each["follows"]) for each in guards]
    assert told == [("disables", 3, False), ("memberRemovals", 3, True)]
    comment = cloudforest("plan", "--format", "markdown", *state).out
    assert comment.startswith("### cloudforest plan: blocked by a guard; 1 to update\n")
    for each in guards:
        assert f"`{each['allow']}`" in comment
        assert cloudforest(*each["allow"].split()[1:]).code == 0
    applied = cloudforest("apply", "--plan", "change.plan", "--format", "json")
    assert (applied.code, applied.json["blocked"]) == (0, False), applied
    done = cloudforest.up_once()
    assert (done["counts"]["disable"], done["counts"]["memberRemove"]) == (3, 3)


def test_discarded_effects_are_not_staged_again(tmp_path: Path) -> None:
    cloudforest = _team(tmp_path)
    _three_leave(tmp_path)
    assert cloudforest("up", "--once").code == 3
    (stage,) = cloudforest("job", "staged", "--format", "json").json["stages"]

    assert cloudforest(*stage["discard"].split()[1:]).code == 0

    for _ in range(2):
        cycle = cloudforest.up_once()
        assert (cycle["state"], cycle["counts"]["staged"]) == ("succeeded", 0)
    (job,) = cloudforest("status", "--format", "json").json["jobs"]
    assert (job["state"], job["staged"]) == ("succeeded", 0)


def test_pipeline_sees_counts_and_no_names(tmp_path: Path) -> None:
    cloudforest = _team(tmp_path)
    _three_leave(tmp_path)
    assert cloudforest("up", "--once").code == 3
    with served(cloudforest) as url:
        plan = operator_token(cloudforest, "plan")
        read = operator_token(cloudforest, "read")
        apply = operator_token(cloudforest, "apply")
        (stage,) = ask(f"{url}/stages", plan)
        objects = f"{url}/stages/{stage['digest']}/objects"
        assert len(ask(objects, read)) == 3
        for asked, token, body in (
            (objects, plan, None),
            (f"{url}/stages/{stage['digest']}/discard", plan, {}),
            (f"{url}/stages/{stage['digest']}/allow", apply, {}),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(asked, token, body)
            assert refused.value.code == 403
            refused.value.close()
