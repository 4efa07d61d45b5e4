"""Desired and registered documents: planning, applying, and the roles for it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.exports import exported, person
from tests.support.installed import COMMAND, Installed, eventually

from cloudforest.control_plane.state_folder import read_os_user

LOCAL = f"local ({read_os_user()})"


def applied(topology: Installed) -> Any:
    ran = topology("apply", "--yes", "--format", "json")
    assert ran.code == 0, ran
    return ran.json


def test_second_apply_is_a_no_op(topology: Installed) -> None:
    first = applied(topology)
    second = applied(topology)
    assert [each["action"] for each in first["changes"]] == ["create"] * 8
    assert second["changes"] == []
    assert first["revision"] == second["revision"] == 1


def test_saved_plan_is_applied_as_shown(topology: Installed) -> None:
    planned = topology("plan", "--out", "saved", "--format", "json")

    ran = topology("apply", "--plan", "saved", "--format", "json")

    assert ran.code == 0, ran
    assert ran.json["digest"] == planned.json["digest"]
    pending = topology("plan", "--no-impact", "--detailed-exitcode")
    assert pending.code == 0


def test_plan_of_other_documents_is_refused(topology: Installed) -> None:
    applied(topology)
    topology.edit("interval: 2m", "interval: 5m")
    topology("plan", "--out", "saved", "--no-impact")

    topology.edit("interval: 5m", "interval: 10m")
    other = topology("apply", "--plan", "saved")
    topology.edit("interval: 10m", "interval: 2m")
    none = topology("apply", "--plan", "saved")

    assert (other.code, none.code) == (1, 1)
    assert "The documents changed after the plan was made" in other.err
    assert "Changes since: ~ Job contoso-people. Plan again." in other.err
    assert "Changes since: no longer ~ Job contoso-people. Plan again." in none.err
    topology.edit("interval: 2m", "interval: 5m")
    assert topology("apply", "--plan", "saved").code == 0


def test_stale_plan_is_refused(topology: Installed) -> None:
    topology("plan", "--out", "saved", "--no-impact")
    applied(topology)

    ran = topology("apply", "--plan", "saved")

    assert ran.code == 1
    assert "revision 0" in ran.err
    assert f"{LOCAL} registered revision 1 at 20" in ran.err
    assert "Changes since: + Tenant contoso" in ran.err


def test_stale_plan_shows_what_others_changed_since(topology: Installed) -> None:
    applied(topology)
    topology("plan", "--out", "saved", "--no-impact")
    topology.edit("interval: 2m", "interval: 5m")
    applied(topology)

    ran = topology("apply", "--plan", "saved")

    assert ran.code == 1
    assert "Changes since: ~ Job contoso-people. Plan again." in ran.err

    topology.edit("interval: 5m", "interval: 2m")
    applied(topology)
    ran = topology("apply", "--plan", "saved")
    assert ran.code == 1
    assert f"{LOCAL} registered revision 3 at 20" in ran.err
    assert "Changes since: none that remain. Plan again." in ran.err


def test_plan_of_another_control_plane_is_refused(
    topology: Installed, tmp_path: Path
) -> None:
    applied(topology)
    topology("plan", "--out", "saved", "--no-impact")
    topology.edit("interval: 2m", "interval: 5m")
    elsewhere = ("--state", str(tmp_path / "elsewhere"))
    assert topology("apply", "--yes", *elsewhere).code == 0

    ran = topology("apply", "--plan", "saved", *elsewhere)

    assert ran.code == 1
    assert "revision 1, which this control plane never had" in ran.err


def in_git(topology: Installed) -> Callable[..., str]:
    """Commit the tree; return a function that runs git there."""

    def git(*words: str) -> str:
        named = ("-c", "user.name=ann", "-c", "user.email=ann@contoso.com")
        done = subprocess.run(
            ["git", *named, *words],
            cwd=topology.tree,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    git("init", "-q")
    (topology.tree / ".gitignore").write_text(".cloudforest/\nsaved\n")
    git("add", ".")
    git("commit", "-q", "-m", "The tree")
    return git


def test_audit_names_the_commit_of_a_saved_plan(
    topology: Installed,
) -> None:
    git = in_git(topology)
    planned = git("rev-parse", "HEAD")
    topology("plan", "--out", "saved", "--no-impact")
    (topology.tree / "README.md").write_text("Nothing that a document says.")
    git("add", ".")
    git("commit", "-q", "-m", "Another commit")

    assert topology("apply", "--plan", "saved").code == 0

    ran = topology("logs", "--audit", "--format", "json")
    assert json.loads(ran.out)["detail"].endswith(f", commit {planned}")


def test_every_apply_is_in_the_audit_with_its_plan_and_commit(
    topology: Installed,
) -> None:
    git = in_git(topology)
    first = applied(topology)
    topology.edit("interval: 2m", "interval: 5m")
    second = applied(topology)

    ran = topology("logs", "--audit", "--format", "json")

    records = [json.loads(line) for line in ran.out.splitlines()]
    commit = git("rev-parse", "HEAD")
    assert [(each["operator"], each["action"]) for each in records] == [
        (LOCAL, "apply")
    ] * 2
    assert [each["detail"] for each in records] == [
        f"revision 1, plan {first['digest']}, commit {commit}",
        f"revision 2, plan {second['digest']}, commit {commit}",
    ]
    text = topology("logs", "--audit").out
    assert f"{LOCAL}  apply  revision 1, plan {first['digest']}" in text


def test_one_of_two_simultaneous_applies_wins(topology: Installed) -> None:
    """The other names the holder of the state and its time, or finds nothing to do."""
    both = [
        subprocess.Popen(
            [COMMAND, "apply", "--yes"],
            cwd=topology.tree,
            env=topology.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [each.communicate(timeout=120) for each in both]
    codes = sorted(each.returncode for each in both)
    assert codes in ([0, 0], [0, 1]), said
    for process, (out, err) in zip(both, said, strict=True):
        if process.returncode:
            assert "Another cloudforest process uses" in err
            assert "since 20" in err
        else:
            assert "Registered as revision 1" in out or "Nothing to apply" in out
    assert len(topology("logs", "--audit").out.splitlines()) == 1


def test_apply_names_another_that_waits_for_confirmation(
    topology: Installed,
) -> None:
    (topology.state).mkdir()
    left = topology.state / "serve.json"
    left.write_text(
        '{"url": "http://127.0.0.1:1", "pid": 1}'
    )  # a killed `serve` left it
    keyboard, terminal = os.openpty()
    asked = subprocess.Popen(
        [COMMAND, "apply"],
        cwd=topology.tree,
        env=topology.environment,
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = ""
        while not said.endswith("[y/N]:"):
            character = asked.stderr.read(1)
            assert character, said
            said += character
        ran = topology("apply", "--yes")
        os.write(keyboard, b"y\n")
        asked.communicate(timeout=120)
    finally:
        asked.kill()
        asked.communicate()
        os.close(keyboard)
        os.close(terminal)
    assert asked.returncode == 0
    assert ran.code == 1, ran
    assert (
        f'Another cloudforest process uses the state folder "{topology.state}"'
        in ran.err
    )
    assert f"(pid {asked.pid}, since 20" in ran.err


def test_apply_without_a_terminal_asks_for_yes(topology: Installed) -> None:
    ran = topology("apply")
    assert ran.code == 1
    assert "--yes" in ran.err
    assert topology("job", "list", "--format", "json").json == {"jobs": []}


def test_saved_plan_overwrites_only_a_plan(topology: Installed) -> None:
    document, export = topology.tree / "tenant.yaml", topology.tree / "kept.txt"
    export.write_text("kept")
    before = document.read_text()

    for name, said in (
        ("tenant.yaml", "would be read as a document"),
        ("new.yml", "would be read as a document"),
        ("kept.txt", "already exists"),
        (".", "is a folder"),
    ):
        ran = topology("plan", "--no-impact", "--out", name)
        assert (ran.code, said in ran.err, ran.out) == (64, True, ""), ran
    assert (document.read_text(), export.read_text()) == (before, "kept")
    for _ in range(2):
        assert topology("plan", "--no-impact", "--out", "change.plan").code == 0
    named = topology("plan", "--no-impact", "--samples", "names")
    assert (named.code, "--no-impact skips" in named.err) == (64, True)


def test_every_format_of_a_plan_names_the_job(topology: Installed) -> None:
    for name in ("text", "json", "markdown", "html"):
        ran = topology("plan", "--no-impact", "--format", name)
        assert ran.code == 0, ran
        assert "contoso-people" in ran.out


def test_plan_at_a_terminal_shows_progress(tmp_path: Path) -> None:
    tree = exported(tmp_path, *(person(f"p{number:04}") for number in range(1200)))
    tree.up_once()
    tree.edit("organizationalUnits: all", "organizationalUnits: ['DC=contoso,DC=com']")
    tree.edit(
        "extends: ad-user-to-scim",
        "extends: ad-user-to-scim\nattributeMappings: {nickName: '[name]'}",
    )

    ran, shown = tree.watched("plan")

    assert ran.code == 0, ran
    assert "people: reading the directory" in shown
    assert "1,200 so far" in shown
    lines = [line for line in shown.splitlines() if "people: comparing" in line]
    assert "500 of 1,200" in shown
    assert "1,200 of 1,200" in lines[-1]
    assert "people: counting" in shown
    assert "comparing" not in ran.out


def test_plan_without_a_terminal_shows_no_progress_bar(tmp_path: Path) -> None:
    tree = exported(tmp_path, person("anna"))

    piped = tree("plan")
    ran, shown = tree.watched("plan", "--format", "json")

    assert (piped.code, piped.err) == (0, "")
    assert ran.json["impact"]["people"]["create"] == 1
    assert shown == ""


def ask(url: str, token: str, method: str, path: str) -> int:
    request = urllib.request.Request(
        url + path,
        method=method,
        data=b"{}" if method == "PUT" else None,
        headers={"Authorization": f"Bearer {token}", "If-Match": '"0"'},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_control_plane_accepts_only_operators(topology: Installed) -> None:
    with topology.running("serve", "--state", str(topology.state)):
        file = topology.state / "serve.json"
        eventually(file.exists, "serve.json")
        url = json.loads(file.read_text())["url"]
        token = (topology.state / "keys" / "operator.token").read_text()
        assert ask(url, token, "GET", "/registration") == 200
        assert ask(url, "wrong", "GET", "/registration") == 401
        assert ask(url, "wrong", "PUT", "/registration") == 401
        assert ask(url, token, "PUT", "/registration") == 422
        assert ask(url, "wrong", "GET", "/scim/v2/Users") == 401
        assert topology("plan", "--no-impact").code == 0


def test_state_is_readable_only_by_its_owner(topology: Installed) -> None:
    topology.up_once()
    for path in topology.state.rglob("*"):
        if path.parent.name in {"keys", "bus", "sync01"} and path.is_file():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert not stat.S_IMODE(topology.state.stat().st_mode) & 0o077


def test_remote_agent_enrols_with_a_token_and_serves(
    topology: Installed, tmp_path: Path
) -> None:
    topology.edit("run: local", "run: remote")
    applied(topology)
    elsewhere = tmp_path / "elsewhere"
    folder = elsewhere / "agents" / "sync01"
    folder.mkdir(parents=True)
    export = topology.tree / "data" / "contoso.ldif"
    bindings = {"contoso.com": {"ldif": str(export)}}
    (folder / "bindings.json").write_text(json.dumps(bindings))
    with topology.running("serve", "--state", str(topology.state)):
        eventually((topology.state / "serve.json").exists, "serve.json")
        url = json.loads((topology.state / "serve.json").read_text())["url"]
        token = topology("agent", "token", "sync01").out
        command = [COMMAND, "agent", "run", "sync01", "--state", elsewhere]
        agent = subprocess.Popen(
            [*command, "--control", url, "--token-stdin"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=topology.environment,
            text=True,
        )
        try:
            agent.stdin.write(token)
            agent.stdin.close()
            eventually(lambda: agent_is_active(topology), "the agent's bootstrap")
            # The scheduled cycle may come first.
            run = ("job", "run", "contoso-people")
            eventually(lambda: topology(*run).code == 0, "a cycle")
            created = topology("logs", "--action", "create", "--format", "json").out
            assert len(created.splitlines()) > 1000
            again = subprocess.run(
                [*command, "--control", url, "--token-stdin"],
                input=token,
                capture_output=True,
                env=topology.environment,
                text=True,
                check=False,
            )
            assert again.returncode == 1
            assert "was used" in again.stderr
        finally:
            agent.terminate()
            agent.wait(60)


def agent_is_active(topology: Installed) -> bool:
    [agent] = topology("agent", "status", "--format", "json").json["agents"]
    return agent["state"] == "active"


def test_local_agent_can_be_renamed_and_renamed_back(topology: Installed) -> None:
    topology.up_once()
    topology.edit("name: sync01", "name: sync02")
    topology.up_once()
    ran = topology("job", "run", "contoso-people", "--format", "json")
    assert ran.code == 0, ran
    topology.edit("name: sync02", "name: sync01")
    assert topology.up_once()["state"] == "succeeded"


def test_unknown_job_is_reported(topology: Installed) -> None:
    applied(topology)
    ran = topology("job", "run", "nobody", "--format", "json")
    assert ran.code == 1
    assert "nobody" in ran.err
