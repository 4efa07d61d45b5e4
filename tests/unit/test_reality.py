"""Documents, names and files match what exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.golden.rewrite import TOPOLOGIES

from cloudforest.cli.app import COMMANDS
from cloudforest.cli.boundary import ExitCode
from cloudforest.compiler.compile import compile_tree

REPOSITORY = Path(__file__).parents[2]
ENGINE = REPOSITORY / "engine" / "cloudforest"
TESTS = REPOSITORY / "tests"
UNIT = TESTS / "unit"
OF_THE_WHOLE = {
    "test_changelog.py",
    "test_documentation.py",
    "test_guides.py",
    "test_man_page.py",
    "test_prose.py",
    "test_reality.py",
}
"""Tests of `tests/unit` that stand for no module."""


def test_every_command_is_in_the_readme():
    readme = (REPOSITORY / "README.md").read_text()
    assert [each for each in COMMANDS if f"`{each}`" not in readme] == []


def test_every_exit_code_is_documented():
    page = (REPOSITORY / "docs" / "reference" / "exit-codes.md").read_text()
    assert [each for each in ExitCode if f"| {each.value} |" not in page] == []


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_every_topology_compiles_without_a_complaint(topology: Path):
    compiled = compile_tree(topology)
    assert compiled.diagnostics == ()
    assert compiled.registration is not None


def named_in(page: Path) -> list[str]:
    """Return the modules and tests that a page names; capitals are for readers."""
    paths = re.findall(
        r"`([\w/-]+(?:\.py|/test_\w+\.py)|tests/[\w/.-]+)`", page.read_text()
    )
    return [each for each in paths if each.islower()]


def is_there(path: str) -> bool:
    """Return whether it is a path, or the bare name of a module of the engine."""
    if any((place / path).exists() for place in (REPOSITORY, ENGINE, UNIT)):
        return True
    return "/" not in path and any(ENGINE.rglob(path))


def test_every_module_that_the_documents_name_is_there():
    pages = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
    missing = [
        (page.name, path)
        for page in (*pages, *(REPOSITORY / "docs").rglob("*.md"))
        for path in named_in(page)
        if not is_there(path)
    ]
    assert missing == []


def test_every_name_in_contributing_is_in_the_code():
    """`ExitCode`, `JOB_TABLES`: a class, a constant or a field, by its real name."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`([A-Z]\w*[a-z_]\w*|_?[A-Z][A-Z_]{3,})`", text))
    code = "\n".join(each.read_text("utf-8") for each in ENGINE.rglob("*.py"))
    known = {each for each in names if re.search(rf"\b{each}\b", code)}
    assert names - known == {"SECONDS"} & names  # of `make fuzz`


def is_a_test(module: str) -> bool:
    return module.startswith("tests.") and any(
        part == "conftest" or part.startswith("test_") for part in module.split(".")
    )


def test_no_test_imports_another_test():
    """Else: move what they share to tests/support."""
    found = []
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom(module=str(module)):
                    modules = [module, *(f"{module}.{a.name}" for a in node.names)]
                case ast.Import():
                    modules = [each.name for each in node.names]
                case _:
                    continue
            if any(map(is_a_test, modules)):
                found.append((str(path.relative_to(TESTS)), modules[0]))
    assert found == []


def test_every_unit_test_is_named_for_a_module():
    """`compiler/test_files_links.py` stands for `compiler/files.py`."""
    stray = []
    for path in UNIT.rglob("test_*.py"):
        folder = path.relative_to(UNIT).parent
        modules = [each.stem for each in (ENGINE / folder).glob("*.py")]
        name = f"{path.stem.removeprefix('test_')}_"
        if not any(name.startswith(f"{each}_") for each in modules):
            stray.append(str(path.relative_to(UNIT)))
    assert set(stray) == OF_THE_WHOLE


RETIRED = {
    "belongings",
    "doubted",
    "elder",
    "foreseeing",
    "holdings",
    "kleene",
    "leads",
    "logbook",
    "lone",
    "looked",
    "moot",
    "picture",
    "pictures",
    "prior",
    "rings",
    "standing",
    "told",
    "trips",
    "turns",
    "unowned",
    "ways",
    "wish",
}
"""Words that the glossary replaced."""
EXEMPT = {
    "doubted": "a column of the store: a new name needs a migration",
    "_LONE_SURROGATE": "Unicode's word",
    "_LONE_SURROGATE_REFUSED": "Unicode's word",
}
"""Identifiers that hold a retired word, and why they stay."""


def identifiers(tree: ast.AST) -> set[str]:
    """Return the names of functions, classes, arguments, variables and attributes."""
    found = {
        getattr(node, field, None)
        for node in ast.walk(tree)
        for field in ("name", "arg", "id", "attr", "asname", "rest")
    }
    return {each for each in found if isinstance(each, str)}


def words_of(identifier: str) -> list[str]:
    """Split at underscores and before capitals."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier).lower().split("_")


def retired_in(path: Path) -> set[str]:
    names = identifiers(ast.parse(path.read_text(encoding="utf-8")))
    return {each for each in names if not RETIRED.isdisjoint(words_of(each))}


def test_no_identifier_of_the_engine_is_a_retired_word():
    found = {
        (str(path.relative_to(ENGINE)), each)
        for path in ENGINE.rglob("*.py")
        for each in retired_in(path) - set(EXEMPT)
    }
    assert found == set()


def test_every_exempt_identifier_is_still_used():
    used = set().union(*map(retired_in, ENGINE.rglob("*.py")))
    assert set(EXEMPT) - used == set()
