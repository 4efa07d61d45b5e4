"""Logs and explanations of one person, with the installed command."""

from __future__ import annotations

import csv
import json
import queue
import signal
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.exports import exported, group, guid_of, person, write_export
from tests.support.installed import Installed, Ran, eventually

HIDDEN = """\
extends: ad-user-to-scim
attributeMappings: {nickName: {source: "[info]", sensitive: true}}
"""


def entries(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran
    return [json.loads(line) for line in ran.out.splitlines()]


def changed(entry: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {each["path"]: (each["before"], each["after"]) for each in entry["changes"]}


def test_log_names_each_effect_and_its_object(tmp_path: Path) -> None:
    anna = person("anna", title="Clerk", info="canary")
    cloudforest = exported(
        tmp_path, anna, person("bert"), group("team", "anna", "bert"), mapping=HIDDEN
    )
    cloudforest.up_once()
    between = datetime.now(UTC).isoformat()
    write_export(
        tmp_path,
        person("anna", title="Head", info="canary"),
        person("bert"),
        group("team", "anna", "bert"),
    )
    cloudforest.up_once()

    told = entries(
        cloudforest("logs", "--object", "anna@contoso.com", "--format", "json")
    )

    assert [each["action"] for each in told] == ["create", "update"]
    assert {each["object"] for each in told} == {guid_of("anna")}
    assert changed(told[0])["nickName"] == (None, "[redacted]")
    assert changed(told[1]) == {"title": ("Clerk", "Head")}
    assert told[0]["cycle"] != told[1]["cycle"]
    later = cloudforest("logs", "--since", between, "--format", "json")
    assert entries(later) == [told[1]]
    again = cloudforest("logs", "--cycle", told[1]["cycle"], "--format", "json")
    assert entries(again) == [told[1]]
    (members,) = entries(cloudforest("logs", "--action", "members", "--format", "json"))
    assert members["members"]["added"] == 2
    assert set(members["members"]["add"]) == {guid_of("anna"), guid_of("bert")}
    assert members["name"] == "team"
    sheet = cloudforest("logs", "--format", "csv")
    rows = list(csv.DictReader(sheet.out.splitlines()))
    assert [row["status"] for row in rows] == ["success"] * 5
    assert "canary" not in sheet.out + "".join(map(str, told))
    wrong = {"--status": 64, "--since": 64, "--job": 1}
    assert {each: cloudforest("logs", each, "nope").code for each in wrong} == wrong
    follow = cloudforest("logs", "-f")
    assert follow.code == 5
    assert "cloudforest serve" in follow.err


def steps_of(ran: Ran) -> dict[str, dict[str, Any]]:
    return {each["step"]: each for each in ran.json["steps"]}


def example_of_carl(cloudforest: Installed, tree: Path) -> None:
    """Write an example of a real person: it passes, and nothing overwrites it."""
    add = ("example", "add", "people", "carl@contoso.com", "--name", "carl")
    added = cloudforest(*add, "--replace", "title=Chief")
    assert added.code == 0, added
    file = tree / "examples" / "carl.yaml"
    text = file.read_text()
    assert "title: Chief" in text
    assert not [each for each in ("canary", "Head") if each in text]
    assert cloudforest("validate").code == 0
    again = cloudforest(*add)
    assert again.code == 1
    assert "already exists" in again.err
    file.unlink()


def test_one_person_is_explained_and_provisioned_on_demand(tmp_path: Path) -> None:
    """The guard permits one disable. Staged effects give exit code 3."""
    guard = "guard: {disables: {max: 1, percent: 100, base: 50}}"
    more = {"mapping": HIDDEN, "more": guard}
    people = [person(each, info="canary") for each in ("anna", "bert", "carl")]
    cloudforest = exported(tmp_path, *people, **more)
    cloudforest.up_once()
    write_export(tmp_path, person("carl", title="Head", info="canary"))
    as_json = ("--format", "json")

    told = cloudforest("explain", "people", "carl@contoso.com", *as_json)
    assert told.code == 0, told
    (request,) = steps_of(told)["act"]["detail"]["requests"]
    assert (request["method"], request["body"]["Operations"][0]["path"]) == (
        "PATCH",
        "title",
    )
    assert all(each["holds"] for each in steps_of(told)["scope"]["detail"]["clauses"])
    assert "canary" not in told.out
    example_of_carl(cloudforest, tmp_path)

    done = cloudforest("provision", "people", "carl@contoso.com", *as_json)
    assert (done.code, steps_of(done)["act"]["result"]) == (0, "update")
    again = cloudforest("provision", "people", guid_of("carl"))
    assert again.code == 0, again
    assert "nothing" in again.out
    # Deleted objects have no name any more. The log still has it.
    gone = cloudforest("explain", "people", "anna@contoso.com", *as_json)
    assert steps_of(gone)["act"]["result"] == "disable"
    gone = cloudforest("provision", "people", "anna@contoso.com", *as_json)
    assert (gone.code, steps_of(gone)["act"]["result"]) == (0, "disable")
    held = cloudforest("provision", "people", "bert@contoso.com", *as_json)
    assert (held.code, steps_of(held)["act"]["result"]) == (3, "staged")
    unknown = cloudforest("provision", "people", "nobody@contoso.com")
    assert unknown.code == 1, unknown
    logged = entries(cloudforest("logs", "--since", "1h", *as_json))
    assert len({each["cycle"] for each in logged}) == 4


def test_logs_follow_runs_until_interrupted(tmp_path: Path) -> None:
    cloudforest = exported(tmp_path, person("anna", title="Clerk"))
    cloudforest.up_once()
    with cloudforest.running("up") as up:
        assert up.stdout is not None
        assert any("Serving" in line for line in up.stdout)
        with cloudforest.running("logs", "-f", "--format", "json") as follow:
            lines = _lines(follow)
            first = json.loads(lines.get(timeout=180))
            assert first["action"] == "create"
            write_export(tmp_path, person("anna", title="Head"))
            eventually(lambda: _ran(cloudforest), "a cycle of our own", 180)
            second = json.loads(lines.get(timeout=180))
            assert changed(second) == {"title": ("Clerk", "Head")}
            assert second["id"] > first["id"]
            follow.send_signal(signal.SIGINT)
            assert follow.wait(60) == 130


def _ran(cloudforest: Installed) -> bool:
    return cloudforest("job", "run", "people").code == 0


def _lines(process: subprocess.Popen[str]) -> queue.Queue[str]:
    """Return a queue that receives each line that a process prints."""
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(
        target=lambda out: [lines.put(each) for each in out],
        args=(process.stdout,),
        daemon=True,
    )
    reader.start()
    return lines
