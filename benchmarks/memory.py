"""Peak resident memory of agent and service, with few and with many people."""

from __future__ import annotations

from pathlib import Path

from benchmarks.installed import (
    LDIF,
    Peaks,
    exported_forest,
    null_scim,
    up_once,
    write_tree,
)

FEW, MANY = 2_000, 50_000


def _peaks(folder: Path, people: int) -> Peaks:
    tree = exported_forest(folder, people)
    with null_scim() as url:
        write_tree(tree, url=url, source=LDIF)
        _, peaks = up_once(tree)
    return peaks


def measure(folder: Path) -> None:
    few, many = _peaks(folder, FEW), _peaks(folder, MANY)
    print(f"peak memory, MB  {FEW:>8,} {MANY:>8,}  growth")
    for name in ("agent", "service"):
        low, high = getattr(few, name), getattr(many, name)
        print(f"  {name:<14} {low:8.0f} {high:8.0f} {high - low:+7.0f}")
