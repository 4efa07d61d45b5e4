"""Two changes to apply, and what is stored afterwards."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.edits import edit, export, without
from tests.support.installed import Installed, write_tree

STEPS = Path(__file__).parent / "steps"
REGISTERING = "INSERT INTO registration"
RANDOM = {"id", "time", "token_hash"}
LAB = """\
---
{kind: Forest, name: lab, domains: [{name: lab.com, source: {ldif: lab.ldif}}]}
---
{kind: Agent, name: sync02, domains: [lab.com], run: local}
---
{kind: Scope, name: everybody, organizationalUnits: all}
---
{kind: Job, name: lab, domain: lab.com, target: cloud, scope: everybody,
 mappings: [people, groups], interval: 1d}
"""


def write(folder: Path) -> Installed:
    """Write a tree of two domains whose people go to the built-in directory."""
    write_tree(
        folder,
        source="{ldif: contoso.ldif}",
        target="scim: embedded",
        scope="organizationalUnits: all",
        more="interval: 1d",
    )
    file = folder / "tree.yaml"
    file.write_text(file.read_text() + LAB)
    (folder / "contoso.ldif").write_text(export())
    (folder / "lab.ldif").write_text(export().replace("contoso", "lab"))
    return Installed(folder)


def change(cloudforest: Installed) -> None:
    """Rename a job, its target and its agent; remove the lab; add an agent."""
    without(
        cloudforest,
        *("{kind: Forest, name: lab", "{kind: Agent, name: sync02"),
        *("{kind: Scope, name: everybody", "{kind: Job, name: lab"),
    )
    edit(
        cloudforest,
        ("{kind: Target, name: cloud,", "{kind: Target, name: new, formerly: cloud,"),
        ("Agent, name: sync01,", "Agent, name: berlin, formerly: sync01,"),
        ("kind: Job\nname: people", "kind: Job\nname: staff\nformerly: people"),
        ("target: cloud\n", "target: new\n"),
    )
    file = cloudforest.tree / "tree.yaml"
    more = "---\n{kind: Agent, name: tokyo, domains: [contoso.com], run: remote}\n"
    file.write_text(file.read_text() + more)


@dataclass(frozen=True)
class Change:
    """A tree, with or without state. Each trial works on its own copy of the folder."""

    folder: Path

    def copy(self, folder: Path) -> Installed:
        shutil.copytree(self.folder, folder)
        return Installed(folder)


def stored(state: Path) -> dict[str, Any]:
    """Return file names, and rows of both databases without times and random ids."""
    files = (each.relative_to(state) for each in state.rglob("*") if each.is_file())
    found: dict[str, Any] = {"files": sorted(map(str, filter(_lasts, files)))}
    for name in ("cloudforest.db", "tenant.db"):
        with closing(sqlite3.connect(state / name)) as database:
            database.row_factory = _values
            found |= {table: rows(database, table) for table in _tables(database)}
    return found


def _tables(database: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    return [each["name"] for each in database.execute(query)]


def rows(database: sqlite3.Connection, table: str) -> list[str]:
    found = database.execute(f"SELECT * FROM {table}").fetchall()
    return sorted(str(_lasting(table, each)) for each in found)


def _values(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    names = (each[0] for each in cursor.description)
    return dict(zip(names, row, strict=True))


def _lasting(table: str, row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if key not in RANDOM}
    if table == "agent":
        kept["body"] = {**json.loads(row["body"]), "id": None}
    return kept


def _lasts(file: Path) -> bool:
    """Exclude SQLite's extra files and temporary files that a kill left behind."""
    return not file.name.startswith(".") and not file.name.endswith(("-wal", "-shm"))


def with_steps(
    cloudforest: Installed, steps: Path, number: signal.Signals, step: str
) -> Installed:
    variables = {
        "PYTHONPATH": str(STEPS),
        "STEPS": str(steps),
        "SIGNAL": str(int(number)),
        "STEP": step,
    }
    return replace(cloudforest, variables={**cloudforest.variables, **variables})
