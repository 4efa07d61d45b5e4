"""Every diagnostic id has a case and a description."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from scripts.reference import diagnostics

from cloudforest import compiler

ROOT = Path(__file__).parents[4]
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")
NOT_IDS = {"new-hybrid-customer", "x-language-version"}


def ids_in_the_code() -> set[str]:
    """Return every constant of the compiler that looks like an id."""
    found = set()
    for path in Path(compiler.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=str(text)) if KEBAB.fullmatch(text):
                    found.add(text)
    return found - NOT_IDS


def test_every_id_has_a_case():
    cases = {each.name.split(".")[0] for each in (ROOT / "tests/cases").glob("*.txt")}
    assert cases - {"0-valid"} == ids_in_the_code()


def test_every_case_provokes_the_id_that_it_is_named_for():
    for path in (ROOT / "tests/cases").glob("*.txt"):
        name = path.name.split(".")[0]
        if name != "0-valid":
            assert f"[{name}]" in path.read_text(encoding="utf-8"), path.name


def test_every_id_is_documented():
    """Add a new id to scripts/reference/diagnostics.toml, then `make reference`."""
    assert diagnostics.ids() == ids_in_the_code()
