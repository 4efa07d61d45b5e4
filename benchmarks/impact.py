"""Plans over many stored objects: with a changed expression, and with a changed scope.

The second expression needs one attribute less, and the scope is written in another way.
For both, the directory is read again.
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
name: upper-case
extends: ad-user-to-scim
attributeMappings:
  displayName: '{expression}'
"""
STORED = 'ToUpper(Coalesce([displayName], Join(" ", [givenName], [sn]), [cn]), )'
READ_AGAIN = "ToUpper([displayName], )"
EVERYBODY = "organizationalUnits: all"
BASE = "organizationalUnits: ['DC=contoso,DC=com']"


def with_expression(text: str, expression: str) -> str:
    changed = text.replace("[ad-user-to-scim", "[upper-case")
    return changed + MAPPING.format(expression=expression)


def plan(tree: Path, *options: str) -> tuple[float, dict[str, int]]:
    """Return the seconds of a `plan`, and the job's impact."""
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
            ("stored objects evaluated", with_expression(text, STORED)),
            ("directory read again", with_expression(text, READ_AGAIN)),
            ("another scope", text.replace(EVERYBODY, BASE)),
        ):
            file.write_text(changed)
            seconds, counts = plan(tree)
            print(f"  {name:<28} {seconds:8.1f} s, {counts['update']:,} updates")
