"""Warns where a rename looks like a removal and a creation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cloudforest.plan.change import Change

_LIKENESS = {
    "Target": ("scim",),
    "Agent": ("domains", "run"),
    "Job": ("domain", "target", "scope"),
}
"""Fields that are equal in two documents of a kind which may well be one."""

_LOSS = {
    "Target": "its links are forgotten, and everybody is matched anew",
    "Agent": "it loses its identity, and must be enrolled anew",
    "Job": "what is kept for it is forgotten, and everybody is read anew",
}


def warnings(changes: Iterable[Change]) -> Iterator[str]:
    """Yield a sentence for each pair that looks like one document with a new name."""
    changes = list(changes)
    targets = {
        each.fields[0].before: each.name
        for each in changes
        if (each.action, each.kind) == ("rename", "Target")
    }
    gone = [each for each in changes if each.action == "delete"]
    for each in changes:
        if each.action == "create" and each.kind in _LIKENESS:
            likeness = _likeness(each, targets)
            found = (old for old in gone if _likeness(old, targets) == likeness)
            if (old := next(found, None)) is not None:
                gone.remove(old)
                yield _warning(old, each)


def _likeness(change: Change, targets: dict[Any, str]) -> tuple[Any, ...]:
    """Return what two documents that may be one have in common."""
    values = {
        field.path: field.before if change.action == "delete" else field.after
        for field in change.fields
    }
    values["target"] = targets.get(values.get("target"), values.get("target"))
    paths = _LIKENESS.get(change.kind, ())
    return (change.kind, *(values.get(path) for path in paths))


def _warning(old: Change, new: Change) -> str:
    alike = ", ".join(_LIKENESS[new.kind])
    return (
        f'{new.kind} "{old.name}" is removed and {new.kind} "{new.name}" is created, '
        f"with the same {alike}. If that is a new name for the same, write "
        f'`formerly: {old.name}` in {new.kind} "{new.name}"; '
        f"without it {_LOSS[new.kind]}."
    )
