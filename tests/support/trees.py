"""Trees for tests of the compiler: the valid one, with more documents."""

from __future__ import annotations

from pathlib import Path

from cloudforest.compiler.compile import CompiledTree, compile_tree
from cloudforest.model.registration import Registration

CASES = Path(__file__).parents[1] / "cases"
VALID = (CASES / "0-valid.yaml").read_text(encoding="utf-8")


def compiled(folder: Path, **files: str) -> CompiledTree:
    """Write `files` (names without .yaml) beside the valid tree, and compile."""
    for name, text in {"0-valid": VALID, **files}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return compile_tree(folder)


def registered(folder: Path, **files: str) -> Registration:
    """Compile documents that must have no errors; warnings are allowed."""
    result = compiled(folder, **files)
    assert result.registration is not None, [str(each) for each in result.diagnostics]
    return result.registration


STAFF = """\
kind: Mapping
name: people
extends: ad-user-to-scim
attributeMappings: {nickName: {source: "[info]", sensitive: true}}
---
kind: Scope
name: staff
organizationalUnits: all
groups: ["CN=Other,DC=contoso,DC=com", "CN=Cloud,DC=contoso,DC=com"]
filters: {user: 'employeeType eq "staff"'}
---
kind: Job
name: staff
domain: contoso.com
target: other
scope: staff
mappings: [people, ad-group-to-scim]
---
kind: Target
name: other
scim: https://scim.example.com
auth: {bearer: {env: SCIM_TOKEN}}
"""
