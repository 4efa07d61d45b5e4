"""The smallest PATCH that makes given changes (RFC 7644, 3.5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cloudforest.model.provisioning import Change
from cloudforest.program.resource.path import Path, parse_path, wire_value

Operation = dict[str, Any]
PathChange = tuple[Path, Change]


def _operation(path: Path, change: Change) -> Operation:
    """Replace a list even where it is new: an add would keep what is there."""
    if change.after is None:
        return {"op": "remove", "path": str(path)}
    if change.how == "add" and isinstance(change.after, list):
        held = change.before if isinstance(change.before, list) else []
        new = [each for each in change.after if each not in held]
        return {"op": "add", "path": str(path), "value": wire_value(path, new)}
    is_new = change.before is None and not isinstance(change.after, list)
    return {
        "op": "add" if is_new else "replace",
        "path": str(path),
        "value": wire_value(path, change.after),
    }


def _changed(parts: Iterable[PathChange]) -> list[PathChange]:
    return [each for each in parts if each[1].is_sent]


def _is_emptied(parts: Sequence[PathChange]) -> bool:
    """Without its `value`, or any part that we wrote, it is an empty shell."""
    return any(
        path.sub == "value" or change.how == "last" for path, change in parts
    ) and all(change.after is None for _, change in parts)


def _existing_element(parts: Sequence[PathChange]) -> Iterator[Operation]:
    changed = _changed(parts)
    if changed and _is_emptied(parts):
        yield {"op": "remove", "path": changed[0][0].element}
        return
    for path, change in changed:
        yield _operation(path, change)


def _new_element(parts: Sequence[PathChange]) -> dict[str, Any] | None:
    """Return the whole value; a server may refuse a path that chooses nothing yet."""
    path = parts[0][0]
    values = {str(each.sub): change.after for each, change in parts}
    present = {sub: value for sub, value in values.items() if value is not None}
    return {str(path.key): path.wanted, **present} if present else None


def _grouped(changes: Iterable[Change]) -> list[list[PathChange]]:
    groups: dict[str, list[PathChange]] = {}
    for change in changes:
        path = parse_path(change.path)
        name = str(path) if path.key is None else path.element
        groups.setdefault(name, []).append((path, change))
    return list(groups.values())


def patch_operations(changes: Sequence[Change]) -> list[Operation]:
    """Return the operations, each with a path.

    A value chosen by a filter exists if any change to it says what was before; a change
    from a value to itself writes nothing and says just that.
    """
    operations: list[Operation] = []
    added: dict[str, list[dict[str, Any]]] = {}
    for parts in _grouped(changes):
        path = parts[0][0]
        exists = any(change.before is not None for _, change in parts)
        if path.key is None or exists:
            operations += _existing_element(parts)
        elif element := _new_element(parts):
            added.setdefault(path.whole, []).append(element)
    return operations + [
        {"op": "add", "path": path, "value": values} for path, values in added.items()
    ]
