"""A plan over many stored objects: an expression that touches everybody is changed."""

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
  displayName: 'ToUpper([displayName], )'
"""


def change_everybody(tree: Path) -> None:
    file = tree / "tree.yaml"
    text = file.read_text().replace("[ad-user-to-scim", "[shouted")
    file.write_text(text + MAPPING)


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
    with null_scim() as url:
        write_tree(tree, url=url, source=LDIF)
        up_once(tree)
        bare, _ = plan(tree, "--no-impact")
        nothing, _ = plan(tree)
        change_everybody(tree)
        seconds, counts = plan(tree)
    print(f"plan over {counts['inScope']:,} stored objects")
    print(f"  without impact         {bare:8.1f} s")
    print(f"  nothing changed        {nothing:8.1f} s")
    print(f"  {counts['update']:,} updates {seconds:8.1f} s")
