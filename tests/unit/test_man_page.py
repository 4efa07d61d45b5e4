"""The man page: every command and option is in it, and man can read it."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from scripts.reference.commands import leaves, tree
from scripts.reference.man import page

from cloudforest.cli.app import COMMANDS
from cloudforest.cli.help import of_kind

REPOSITORY = Path(__file__).parents[2]
PATH = REPOSITORY / "docs" / "reference" / "commands" / "cloudforest.1"
CHECKS = (
    ["groff", "-man", "-ww", "-z"],
    ["mandoc", "-T", "lint", "-W", "error"],
    ["man", "--warnings", "-l"],
)


def test_every_command_and_option_is_in_the_man_page():
    plain = page().replace("\\-", "-")
    for name, top in tree().commands.items():
        for words, command in leaves(name, top):
            assert words in COMMANDS
            part = plain.partition(f"\n.SS {words}\n")[2].partition("\n.S")[0]
            for option in of_kind(command.params, "option"):
                assert all(each in part for each in option.opts), (words, option)


@pytest.mark.parametrize("command", CHECKS, ids=lambda each: each[0])
def test_man_reads_the_page_without_a_warning(command: list[str]):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    ran = subprocess.run(
        [*command, PATH], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stderr == ""


def test_wheel_installs_the_man_page():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    data = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    source = str(PATH.relative_to(REPOSITORY))
    assert data[source] == "share/man/man1/cloudforest.1"
