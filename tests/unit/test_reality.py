"""What the documents say is what there is."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from tests.golden.rewrite import TOPOLOGIES

from cloudforest.compiler.compile import compile_tree
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.app import COMMANDS

REPOSITORY = Path(__file__).parents[2]


def test_every_command_is_in_the_readme():
    readme = (REPOSITORY / "README.md").read_text()
    assert [each for each in COMMANDS if f"`{each}`" not in readme] == []


def test_every_exit_code_is_documented():
    page = (REPOSITORY / "docs" / "reference" / "exit-codes.md").read_text()
    assert [each for each in Exit if f"| {each.value} |" not in page] == []


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_every_topology_compiles_without_a_complaint(topology: Path):
    compiled = compile_tree(topology)
    assert compiled.diagnostics == ()
    assert compiled.registration is not None


def test_the_language_reference_is_what_the_code_says(
    capsys: pytest.CaptureFixture[str],
):
    """Else: python scripts/language_reference.py > docs/language.md."""
    script = REPOSITORY / "scripts" / "language_reference.py"
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out == (REPOSITORY / "docs" / "language.md").read_text()


def test_every_module_that_the_documents_name_is_there():
    missing = []
    for page in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")):
        for path in re.findall(r"`([a-z_/]+\.py)`", page.read_text()):
            places = (REPOSITORY, REPOSITORY / "engine" / "cloudforest")
            if not any((place / path).exists() for place in places):
                missing.append((page.name, path))
    assert missing == []
