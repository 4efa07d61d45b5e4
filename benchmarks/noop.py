"""A cycle in which nothing has changed, over Samba AD DC."""

from __future__ import annotations

from pathlib import Path

from benchmarks.domain import VARIABLE, filled, source
from benchmarks.installed import null_scim, up_once, write_tree

PEOPLE = 20_000


def measure(folder: Path) -> None:
    tree = folder / "noop"
    tree.mkdir()
    with filled(folder, PEOPLE) as domain, null_scim() as url:
        write_tree(tree, url=url, source=source(domain))
        variables = {VARIABLE: domain.password}
        first, _ = up_once(tree, **variables)
        again, _ = up_once(tree, **variables)
    assert again["cycle"] == "incremental", again
    print(f"no-op over Samba with {PEOPLE:,} people")
    print(f"  initial       {first['seconds']:8.1f} s, {first['requests']} requests")
    print(f"  no-op cycle   {again['seconds']:8.1f} s, {again['requests']} requests")
