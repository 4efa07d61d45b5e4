"""How a received entry becomes text: extended DNs, link changes, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cloudforest.adapters.directory import values
from cloudforest.adapters.directory.entries import Found
from cloudforest.adapters.directory.ldap.wire.messages import Raw

_MEMBER = "member"
_ADDED, _REMOVED = ";range=1-1", ";range=0-0"
# [MS-ADTS] 3.1.1.3.1.3.3: the last part of the values is marked by a star.
_RANGE = re.compile(r"(.+);range=(\d+)-(\d+|\*)")


def _texts(name: str, received: Sequence[bytes]) -> tuple[str, ...]:
    texts = (values.reference(name, values.text(name, each)) for each in received)
    return tuple(each for each in texts if each is not None)


def _links(received: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Yield the objectGUIDs of members, and their DNs."""
    for each in received:
        value = values.text(_MEMBER, each)
        if (guid := values.reference(_MEMBER, value)) is not None:
            yield guid, values.split_extended(value)[1]


def from_dirsync(raw: Raw, *, full: bool) -> Found:
    """With incremental values, range 1-1 holds links added and 0-0 links removed.

    A full read lists links removed long ago as well; those say nothing.
    """
    attributes: dict[str, tuple[str, ...]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    for name, received in raw.attributes.items():
        if name.endswith(_REMOVED):
            plain = name.removesuffix(_REMOVED)
            removed[plain] = _texts(plain, received)
        else:
            plain = name.removesuffix(_ADDED)
            attributes[plain] = _texts(plain, received)
    former = removed.pop(_MEMBER, ())
    for name in () if full else removed:
        attributes.setdefault(name, ())  # A link without a successor was cleared.
    return Found(
        dn=values.split_extended(raw.dn)[1],
        attributes=attributes,
        members=attributes.pop(_MEMBER, ()),
        former_members=() if full else former,
        partial=not full,
    )


def from_search(raw: Raw) -> tuple[Found, int | None]:
    """Return the object, and from where on members are missing: AD sends 1,500."""
    attributes: dict[str, tuple[str, ...]] = {}
    links: list[tuple[str, str]] = []
    rest: int | None = None
    for name, received in raw.attributes.items():
        ranged = _RANGE.fullmatch(name)
        plain = ranged[1] if ranged else name
        # AD sends the attribute twice, empty and with a range.
        if plain == _MEMBER:
            links += _links(received)
        else:
            attributes[plain] = attributes.get(plain, ()) + _texts(plain, received)
        if ranged and ranged[3] != "*" and plain == _MEMBER:
            rest = int(ranged[3]) + 1
    thing = Found(
        dn=values.split_extended(raw.dn)[1],
        attributes=attributes,
        members=tuple(guid for guid, _ in links),
        member_names=tuple(name for _, name in links),
    )
    return thing, rest
