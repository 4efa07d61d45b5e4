"""The pre-commit hook and the CI example, in a repository with a tree."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from cloudforest.cli.app import COMMANDS, make_app

REPOSITORY = Path(__file__).parents[2]
HOOKS = REPOSITORY / ".pre-commit-hooks.yaml"
WORKFLOW = REPOSITORY / "docs" / "ci" / "github-actions.yml"
PROGRAMS = Path(sys.executable).parent


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def run(
    folder: Path, *command: str | Path, code: int = 0
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "PRE_COMMIT_HOME": str(folder / ".cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    ran = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository with a tree in identity/ and other YAML next to it."""
    shutil.copytree(
        REPOSITORY / "topologies" / "new-hybrid-customer",
        tmp_path / "identity",
        ignore=shutil.ignore_patterns(".*"),
    )
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    return tmp_path


def break_it(checkout: Path) -> None:
    tree = checkout / "identity" / "people.yaml"
    tree.write_text(tree.read_text().replace("kind: Scope", "kind: Scpoe"))


def test_hook_runs_only_when_documents_change(checkout: Path) -> None:
    run(checkout, "pre-commit", "validate-manifest", HOOKS)
    [hook] = read(HOOKS)
    # pre-commit would install this repository. Here it is already installed.
    local = {**hook, "language": "system", "args": ["identity"]}
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    with (checkout / ".pre-commit-config.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(config, file)
    run(checkout, "git", "init", "-q")
    run(checkout, "git", "add", ".")
    assert "Passed" in run(checkout, "pre-commit", "run").stdout

    break_it(checkout)
    run(checkout, "git", "add", ".")
    ran = run(checkout, "pre-commit", "run", code=1)
    assert 'Did you mean "Scope"? [unknown-kind]' in ran.stdout
    assert "people.yaml" in ran.stdout
    assert "| kind: Scpoe" in ran.stdout


def commands() -> Iterator[list[str]]:
    for job in read(WORKFLOW)["jobs"].values():
        for step in job["steps"]:
            words = shlex.split(step.get("run", "").partition(" > ")[0])
            if words[:1] == ["cloudforest"]:
                yield words[1:]


def test_workflow_uses_existing_commands_and_options() -> None:
    app: Any = typer.main.get_command(make_app())
    found = list(commands())
    assert [each[0] for each in found] == ["validate", "plan", "apply"]
    for name, *arguments in found:
        assert name in COMMANDS
        known = {each for one in app.commands[name].params for each in one.opts}
        assert {each for each in arguments if each.startswith("--")} <= known


def test_workflow_shows_a_mistake_at_its_line(checkout: Path) -> None:
    [validate, *_] = commands()
    assert run(checkout, "cloudforest", *validate).stdout == ""
    break_it(checkout)
    ran = run(checkout, "cloudforest", *validate, code=1)
    [told] = [each for each in ran.stdout.splitlines() if "unknown-kind" in each]
    assert told.startswith("::error file=identity/people.yaml,line=")
