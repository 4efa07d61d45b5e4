"""Compares two registrations, document by document and field by field.

Lists are compared as sets, except those whose order matters. Lists of named entries
are compared entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.registration import Registration
from cloudforest.model.renames import find_renames

Action = Literal["create", "update", "rename", "delete"]
Document = dict[str, Any]
Key = tuple[str, str]
"""A kind and a name."""

KIND_ORDER = ("Tenant", "Target", "Forest", "Agent", "Scope", "Mapping", "Job")
"""The order of creation: a kind only refers to earlier ones."""

_ORDERED_LISTS = {"controllers"}
"""Lists whose order matters: controllers are tried from first to last."""

SENSITIVE_MARK = "(sensitive)"
_SENSITIVE_KEYS = {"constant", "defaultValue", "template"}
"""Keys of a `sensitive` attribute mapping whose values no plan shows."""
_STRING_START = '"'
"""Starts a string literal in an expression; such an expression is hidden too."""
_REDACT_FUNCTION = "redact"
"""The function that makes an expression sensitive without the option."""
_IDENTITY_KEYS = {"name", "formerly"}
"""Keys that are not compared: a new name is a rename, and `formerly` only states it."""

_ACTION_SIGNS = {"create": "+", "update": "~", "rename": ">", "delete": "-"}


class FieldChange(Value, frozen=True):
    """A field that differs; `path` is as in the YAML, None is an absent value."""

    path: str
    before: Any = None
    after: Any = None


class Change(Value, frozen=True):
    """A change of one document.

    The first field of a rename is `name`; the others changed at the same time.
    """

    action: Action
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()

    @property
    def sort_key(self) -> tuple[int, int, str]:
        """Sort deletions last, in reverse: what a document refers to outlives it."""
        rank = KIND_ORDER.index(self.kind)
        deleting = self.action == "delete"
        return (int(deleting), -rank if deleting else rank, self.name)

    def __str__(self) -> str:
        name = self.name
        if self.action == "rename":
            name = f"{self.fields[0].before} → {name}"
        return f"{_ACTION_SIGNS[self.action]} {self.kind} {name}"


def has_order(path: str) -> bool:
    return path.rsplit(".", 1)[-1] in _ORDERED_LISTS


def index_by_name(value: Any) -> dict[str, Any] | None:
    """Return the entries of a list by their names; None unless all of them have one."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(entry, dict) and "name" in entry for entry in value):
        return None
    return {entry["name"]: {**entry, "name": None} for entry in value}


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def is_same_field(path: str, before: Any, after: Any) -> bool:
    if isinstance(before, list) and isinstance(after, list) and not has_order(path):
        return sorted(before, key=_encode) == sorted(after, key=_encode)
    return bool(before == after)


def compare_lists(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[Any], ...]:
    """Return the entries that only the first has, and those only the second has."""
    gone = [entry for entry in before if entry not in after]
    return gone, [entry for entry in after if entry not in before]


def _to_documents(registration: Registration) -> dict[Key, Document]:
    kinds: dict[str, Any] = {"Tenant": (registration.tenant,)}
    for kind in KIND_ORDER[1:]:
        kinds[kind] = getattr(registration, f"{kind.lower()}s")
    # Through JSON: tuples become lists, so that a saved plan equals the one made.
    return {
        (kind, document["name"]): document
        for kind, values in kinds.items()
        for document in msgspec.json.decode(msgspec.json.encode(values))
    }


def _is_sensitive(entry: Document) -> bool:
    source = entry.get("source")
    redacts = isinstance(source, str) and _REDACT_FUNCTION in source.casefold()
    return redacts or bool(entry.get("sensitive"))


def _is_hidden(key: str, *values: Any) -> bool:
    texts = key == "source" and any(_STRING_START in each for each in values if each)
    return texts or key in _SENSITIVE_KEYS


def _compare_fields(
    before: Document, after: Document, prefix: str = ""
) -> Iterator[FieldChange]:
    sensitive = _is_sensitive(before) or _is_sensitive(after)
    for key in sorted(before.keys() | after.keys()):
        path = f"{prefix}.{key}" if prefix else key
        old, new = before.get(key), after.get(key)
        if path in _IDENTITY_KEYS or is_same_field(path, old, new):
            continue
        if isinstance(old, dict | None) and isinstance(new, dict | None):
            yield from _compare_fields(old or {}, new or {}, path)
        elif index_by_name(old or new):
            olds, news = index_by_name(old) or {}, index_by_name(new) or {}
            for name in sorted(olds.keys() | news.keys()):
                pair = olds.get(name, {}), news.get(name, {})
                yield from _compare_fields(*pair, f"{path}[{name}]")
        else:
            if sensitive and _is_hidden(key, old, new):
                masked = (
                    each if each is None else SENSITIVE_MARK for each in (old, new)
                )
                old, new = masked
            yield FieldChange(path=path, before=old, after=new)


def _make_change(
    key: Key, before: Document | None, after: Document | None
) -> Change | None:
    kind, name = key
    fields = tuple(_compare_fields(before or {}, after or {}))
    action: Action = "update"
    if before is None:
        action = "create"
    elif after is None:
        action = "delete"
    elif before["name"] != name:
        action = "rename"
        renamed = FieldChange(path="name", before=before["name"], after=name)
        fields = (renamed, *fields)
    elif not fields:
        return None
    return Change(action=action, kind=kind, name=name, fields=fields)


def compare_registrations(
    registered: Registration | None, desired: Registration
) -> tuple[Change, ...]:
    """Return the changes that turn one into the other, in the order to make them."""
    before = _to_documents(registered) if registered else {}
    after = _to_documents(desired)
    former: dict[Key, Key] = {
        (each.kind, each.after): (each.kind, each.before)
        for each in find_renames(registered, desired)
    }
    pairs = [(before.get(former.get(key, key)), after[key]) for key in after]
    gone = before.keys() - after.keys() - set(former.values())
    changes = [
        *(_make_change(key, *pair) for key, pair in zip(after, pairs, strict=True)),
        *(_make_change(key, before[key], None) for key in gone),
    ]
    return tuple(sorted(filter(None, changes), key=lambda each: each.sort_key))
