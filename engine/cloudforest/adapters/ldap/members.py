"""Who the members of a group are, nested ones too if asked.

Also those whose primary group it is, as Domain Users is of almost everybody: `member`
does not name them.

The controller's own rule for membership through any number of groups
(LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] 3.1.1.3.4.4.3) judges object by object: a minute
for 5,000 contacts on Samba. So groups are followed here, one level at a time; those of
another domain are not here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import Found
from cloudforest.adapters.ldap import access, filters, search
from cloudforest.adapters.ldap.dirsync import from_search
from cloudforest.adapters.ldap.session import Session
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Foreign, GroupMembers
from cloudforest.program.scoping.dn import domain_of

_MEMBER = "member"


def _guid(found: Found) -> str:
    return found.attributes["objectguid"][0]


@dataclass
class _Reading:
    """What was read: `bare` are the groups that show no members."""

    session: Session
    base: str
    members: set[str] = field(default_factory=set)
    foreign: set[Foreign] = field(default_factory=set)
    bare: set[str] = field(default_factory=set)
    missed: bool = False

    def read(self, groups: Collection[str]) -> None:
        """Read the members of the groups with these DNs."""
        lookups = [Lookup(by="dn", value=dn) for dn in groups]
        asked = ["objectGUID", "objectSid", _MEMBER]
        read, ids = 0, set[str]()
        for each in search.objects(
            self.session, self.base, lookups=lookups, attributes=asked
        ):
            read += 1
            self._sort_out(each)
            if not each.members:
                self.bare.add(_guid(each))
            sids = each.attributes.get("objectsid", ())
            ids.update(filter(None, map(directory_entries.relative_id, sids)))
        self.missed |= read < len(groups)
        self._read_primary(sorted(ids))

    def _sort_out(self, group: Found) -> None:
        domain = domain_of(self.base)
        for guid, dn in zip(group.members, group.member_names, strict=True):
            if domain_of(dn) in {domain, None}:
                self.members.add(guid)
            else:
                self.foreign.add(Foreign(dn, guid))

    def _read_primary(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), search.LOOKUPS):
            some = filters.primary_in(ids[start : start + search.LOOKUPS])
            self.members.update(map(_guid, self._below(some)))

    def _below(self, wanted: str) -> Iterator[Found]:
        """Yield every match, with its objectGUID and DN only."""
        asked = ["objectGUID"]
        read = search.subtree(self.session, self.base, filter=wanted, attributes=asked)
        return (from_search(each)[0] for each in read)

    def groups_in(self, groups: Collection[str]) -> Iterator[Found]:
        """Yield the groups that are members of one of these."""
        names = tuple(groups)
        for start in range(0, len(names), search.LOOKUPS):
            some = filters.groups_in(names[start : start + search.LOOKUPS])
            yield from self._below(some)

    def found(self, nested: AbstractSet[str] = frozenset()) -> GroupMembers:
        return GroupMembers(
            ids=frozenset(self.members),
            nested=frozenset(nested),
            whole=self._is_whole(),
            foreign=frozenset(self.foreign),
        )

    def _is_whole(self) -> bool:
        """Tell whether the groups that show no members are proved to have none."""
        if self.missed:
            return False
        proved = access.empty(
            self.session, self.base, guids=sorted(self.bare), names=[_MEMBER]
        )
        return all(_MEMBER in proved.get(each, ()) for each in self.bare)


def direct(session: Session, base: str, group: str) -> GroupMembers:
    reading = _Reading(session, base)
    reading.read([group])
    return reading.found()


def nested(session: Session, base: str, group: str) -> GroupMembers:
    """Return the members through any number of groups, which may form a circle."""
    reading = _Reading(session, base)
    followed: set[str] = set()
    seen: set[str] = set()
    level = {group}
    while level:
        reading.read(level)
        seen |= level
        found = {each.dn: _guid(each) for each in reading.groups_in(level)}
        followed.update(found.values())
        level = found.keys() - seen
    return reading.found(followed)
