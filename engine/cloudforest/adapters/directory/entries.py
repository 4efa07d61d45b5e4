"""How what a directory sends becomes an Entry of the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.ports import Entry
from cloudforest.model.program import ObjectType

ALWAYS = (
    "name",
    "objectclass",
    "objectguid",
    "parentguid",
    "isdeleted",
)
"""What every read asks for.

`name` is there because DirSync reports an added object only when one of the replicated
attributes asked for is set; instanceType is not, because asked for it Samba reports
every object of which anything has changed (measured).
"""

_TYPES: tuple[ObjectType, ...] = ("group", "contact", "user")


@dataclass(frozen=True)
class Found:
    """An object as text: references are objectGUIDs, names are in lower case.

    `member_names` are the DNs of its `members`, in the same order, where a group is
    read by itself.
    """

    dn: str
    attributes: Mapping[str, tuple[str, ...]]
    members: tuple[str, ...] = ()
    former_members: tuple[str, ...] = ()
    partial: bool = False
    member_names: tuple[str, ...] = ()


def object_type(classes: frozenset[str]) -> ObjectType | None:
    return next((each for each in _TYPES if each in classes), None)


def _with_cn(found: Found) -> Mapping[str, tuple[str, ...]]:
    """Add `cn`, which Samba leaves out of DirSync: it is the RDN, and so is `name`."""
    held = found.attributes
    if "cn" in held or "name" not in held or not found.dn.lower().startswith("cn="):
        return held
    return {**held, "cn": held["name"]}


def entry(
    found: Found, asked: Sequence[str], assumed: ObjectType | None = None
) -> Entry | None:
    """Return the Entry with the attributes asked for; None without an objectGUID.

    `assumed` is the type of an object that came without its classes, as in a delta.
    """
    attributes = _with_cn(found)
    guid = next(iter(attributes.get("objectguid", ())), None)
    if guid is None:
        return None
    classes = frozenset(each.lower() for each in attributes.get("objectclass", ()))
    return Entry(
        guid=guid,
        dn=found.dn,
        type=object_type(classes) if classes else assumed,
        classes=classes,
        parent=next(iter(attributes.get("parentguid", ())), None),
        deleted=attributes.get("isdeleted", ())[:1] == ("TRUE",),
        attributes={
            name: attributes[name]
            for name in asked
            if name in attributes and name != "member"
        },
        members=found.members,
        former_members=found.former_members,
        partial=found.partial,
    )


def gone(guid: str) -> Entry:
    """Return an object of which nothing is known but that it is deleted."""
    return Entry(
        guid=guid,
        dn="",
        type=None,
        classes=frozenset(),
        parent=None,
        deleted=True,
        attributes={},
    )
