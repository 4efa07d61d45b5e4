"""A plan over many stored objects: of an expression that everybody has, and a scope.

The second change of the expression needs an attribute less, and that of the scope asks
for everybody as well: the directory is read anew for them.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from benchmarks.installed import (
    COMMAND,
    LDIF,
    environment,
    exported_forest,
    null_scim,
    up_once,
    write_tree,
)

PEOPLE = 100_000
MAPPING = """
---
kind: Mapping
name: shouted
extends: ad-user-to-scim
attributeMappings:
  displayName: '{expression}'
"""
STORED = 'ToUpper(Coalesce([displayName], Join(" ", [givenName], [sn]), [cn]), )'
READ_ANEW = "ToUpper([displayName], )"
EVERYBODY = "organizationalUnits: all"
BASE = "organizationalUnits: ['DC=contoso,DC=com']"


def shouting(text: str, expression: str) -> str:
    changed = text.replace("[ad-user-to-scim", "[shouted")
    return changed + MAPPING.format(expression=expression)


def plan(tree: Path, *options: str) -> tuple[float, dict[str, int]]:
    """Return the seconds that the command takes, and the job's impact."""
    began = time.perf_counter()
    ran = subprocess.run(
        [COMMAND, "plan", "--format", "json", *options],
        cwd=tree,
        env=environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    assert ran.returncode in {0, 3}, ran.stderr
    return seconds, json.loads(ran.stdout)["impact"].get("people", {})


def measure(folder: Path) -> None:
    tree = exported_forest(folder, PEOPLE)
    file = tree / "tree.yaml"
    with null_scim() as url:
        write_tree(tree, url=url, source=LDIF)
        up_once(tree)
        text = file.read_text()
        bare, _ = plan(tree, "--no-impact")
        nothing, counts = plan(tree)
        print(f"plan over {counts['inScope']:,} stored objects")
        print(f"  without impact               {bare:8.1f} s")
        print(f"  nothing changed              {nothing:8.1f} s")
        for name, changed in (
            ("stored objects evaluated", shouting(text, STORED)),
            ("everything read anew", shouting(text, READ_ANEW)),
            ("another scope", text.replace(EVERYBODY, BASE)),
        ):
            file.write_text(changed)
            seconds, counts = plan(tree)
            print(f"  {name:<28} {seconds:8.1f} s, {counts['update']:,} updates")
