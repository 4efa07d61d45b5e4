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
from cloudforest.adapters.directory_entries import DirectoryEntry
from cloudforest.adapters.ldap import access, filters, search
from cloudforest.adapters.ldap.dirsync import entry_from_search
from cloudforest.adapters.ldap.session import Session
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import ForeignMember, GroupMembers
from cloudforest.program.scoping.dn import find_domain_name

_MEMBER = "member"


def _object_guid(found: DirectoryEntry) -> str:
    return found.attributes["objectguid"][0]


@dataclass
class _MembersReader:
    """What was read: `bare` are the groups that show no members."""

    session: Session
    base: str
    members: set[str] = field(default_factory=set)
    foreign_members: set[ForeignMember] = field(default_factory=set)
    groups_without_members: set[str] = field(default_factory=set)
    has_missing_groups: bool = False

    def read_groups(self, groups: Collection[str]) -> None:
        """Read the members of the groups with these DNs."""
        lookups = [Lookup(by="dn", value=dn) for dn in groups]
        asked = ["objectGUID", "objectSid", _MEMBER]
        read, ids = 0, set[str]()
        for each in search.read_objects(
            self.session, self.base, lookups=lookups, attributes=asked
        ):
            read += 1
            self._add_members(each)
            if not each.members:
                self.groups_without_members.add(_object_guid(each))
            sids = each.attributes.get("objectsid", ())
            ids.update(filter(None, map(directory_entries.relative_id, sids)))
        self.has_missing_groups |= read < len(groups)
        self._read_primary_members(sorted(ids))

    def _add_members(self, group: DirectoryEntry) -> None:
        domain = find_domain_name(self.base)
        for guid, dn in zip(group.members, group.member_dns, strict=True):
            if find_domain_name(dn) in {domain, None}:
                self.members.add(guid)
            else:
                self.foreign_members.add(ForeignMember(dn, guid))

    def _read_primary_members(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), search.LOOKUPS_PER_QUERY):
            some = filters.primary_group_filter(
                ids[start : start + search.LOOKUPS_PER_QUERY]
            )
            self.members.update(map(_object_guid, self._search_entries(some)))

    def _search_entries(self, wanted: str) -> Iterator[DirectoryEntry]:
        """Yield every match, with its objectGUID and DN only."""
        asked = ["objectGUID"]
        read = search.search_subtree(
            self.session, self.base, filter=wanted, attributes=asked
        )
        return (entry_from_search(each)[0] for each in read)

    def read_nested_groups(self, groups: Collection[str]) -> Iterator[DirectoryEntry]:
        """Yield the groups that are members of one of these."""
        names = tuple(groups)
        for start in range(0, len(names), search.LOOKUPS_PER_QUERY):
            some = filters.nested_groups_filter(
                names[start : start + search.LOOKUPS_PER_QUERY]
            )
            yield from self._search_entries(some)

    def to_group_members(self, nested: AbstractSet[str] = frozenset()) -> GroupMembers:
        return GroupMembers(
            ids=frozenset(self.members),
            nested=frozenset(nested),
            is_complete=self._is_whole(),
            foreign=frozenset(self.foreign_members),
        )

    def _is_whole(self) -> bool:
        """Tell whether the groups that show no members are proved to have none."""
        if self.has_missing_groups:
            return False
        proved = access.find_proven_clear(
            self.session,
            self.base,
            guids=sorted(self.groups_without_members),
            names=[_MEMBER],
        )
        return all(
            _MEMBER in proved.get(each, ()) for each in self.groups_without_members
        )


def read_direct_members(session: Session, base: str, group: str) -> GroupMembers:
    reading = _MembersReader(session, base)
    reading.read_groups([group])
    return reading.to_group_members()


def read_nested_members(session: Session, base: str, group: str) -> GroupMembers:
    """Return the members through any number of groups, which may form a circle."""
    reading = _MembersReader(session, base)
    followed: set[str] = set()
    seen: set[str] = set()
    level = {group}
    while level:
        reading.read_groups(level)
        seen |= level
        found = {
            each.dn: _object_guid(each) for each in reading.read_nested_groups(level)
        }
        followed.update(found.values())
        level = found.keys() - seen
    return reading.to_group_members(followed)
