"""Who the members of a group are, in an LDIF file: each level is two passes over it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.adapters.directory import values
from cloudforest.adapters.directory.ldif.index import Index
from cloudforest.adapters.directory.ldif.reader import Record, attributes
from cloudforest.adapters.directory.ldif.search import records
from cloudforest.model.ports import Foreign, GroupMembers
from cloudforest.program.scoping.dn import domain_of

_GROUP = attributes(["objectclass", "objectsid", "member"])
_PRIMARY = attributes(["objectguid", "primarygroupid"])
_GUID = attributes(["objectguid"])


@dataclass
class _Level:
    """The members of some groups; `silent`: one of these shows none.

    `ids` are the relative ids that those have whose primary group it is.
    """

    members: set[str] = field(default_factory=set)
    foreign: set[Foreign] = field(default_factory=set)
    ids: set[bytes] = field(default_factory=set)
    silent: bool = False

    def add(self, other: _Level) -> None:
        self.members |= other.members
        self.foreign |= other.foreign
        self.silent |= other.silent


@dataclass(frozen=True)
class Reading:
    """Reads the groups of one domain, named in lower case."""

    path: Path
    index: Index
    domain: str

    def group(self, dn: str, *, nested: bool) -> GroupMembers:
        """Return the members of a group.

        An export does not say whether a group without members has none.
        """
        head = self.index.guid(dn)
        frontier = frozenset() if head is None else frozenset({head})
        seen = frontier
        found = _Level()
        while frontier:
            level = self._level(frontier)
            found.add(level)
            below = frozenset(uuid.UUID(each).bytes_le for each in level.members)
            frontier = below - seen if nested else frozenset()
            seen |= below
        return GroupMembers(
            frozenset(found.members),
            whole=self.index.complete and not found.silent,
            foreign=frozenset(found.foreign),
        )

    def _level(self, groups: AbstractSet[bytes]) -> _Level:
        """Return the members of those of the objects that are groups."""
        level = _Level()
        for record in records(self.path):
            if record.values(_GUID)["objectguid"][0] in groups:
                self._add(record, level)
        level.members.update(self._primary_members(level.ids))
        return level

    def _add(self, record: Record, level: _Level) -> None:
        held = record.values(_GROUP)
        if b"group" not in (each.strip().lower() for each in held["objectclass"]):
            return
        dns = [each.decode(errors="replace") for each in held.get("member", ())]
        foreign = [each for each in dns if domain_of(each) not in {self.domain, None}]
        level.foreign.update(Foreign(each, self._guid(each)) for each in foreign)
        own = filter(None, map(self._guid, set(dns).difference(foreign)))
        level.members.update(known := frozenset(own))
        level.silent |= not known and not foreign
        level.ids.update(_relative_ids(held.get("objectsid", ())))

    def _guid(self, dn: str) -> str | None:
        raw = self.index.guid(dn)
        return None if raw is None else values.guid_text(raw)

    def _primary_members(self, ids: AbstractSet[bytes]) -> Iterator[str]:
        """Yield those whose primary group has one of these relative ids."""
        for record in records(self.path) if ids else ():
            held = record.values(_PRIMARY)
            if ids.isdisjoint(held.get("primarygroupid", ())):
                continue
            if domain_of(record.dn) == self.domain:
                yield values.guid_text(held["objectguid"][0])


def _relative_ids(sids: Iterable[bytes]) -> Iterator[bytes]:
    for each in sids:
        if id_ := values.relative_id(values.sid_text(each)):
            yield id_.encode()
