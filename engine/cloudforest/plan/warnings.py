"""Warns where a change may not mean what it says: of renames and of other services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    """Yield a sentence for each change that an operator should look at twice."""
    changes = list(changes)
    yield from _renames(changes)
    yield from _other_services(changes)


def _renames(changes: Sequence[Change]) -> Iterator[str]:
    """Tell of each pair that looks like one document with a new name."""
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


def _other_services(changes: Sequence[Change]) -> Iterator[str]:
    """Tell of targets with links whose URL changes."""
    for change in changes:
        if change.kind == "Target" and change.action in {"update", "rename"}:
            for field in (each for each in change.fields if each.path == "scim"):
                yield (
                    f'Target "{change.name}" gets another URL, {field.after} instead '
                    f"of {field.before}, and keeps its links. If that is another "
                    "service, declare it as a Target of its own instead."
                )
