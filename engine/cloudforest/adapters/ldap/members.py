"""Read the members of a group, direct or nested.

Members also include objects whose primary group it is, which `member` does not list
(Domain Users, for almost everybody). Nested groups are read level by level: the
controller's own rule (LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] 3.1.1.3.4.4.3) tests each
object and takes a minute for 5,000 contacts on Samba. Groups of other domains are not
followed here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import DirectoryEntry
from cloudforest.adapters.ldap import access, filters, search
from cloudforest.adapters.ldap.session import Session
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import ForeignMember, GroupMembers
from cloudforest.program.scoping.dn import find_domain_name

_MEMBER = "member"


def _object_guid(entry: DirectoryEntry) -> str:
    return entry.attributes["objectguid"][0]


@dataclass
class _MembersReader:
    """Collects what was read; `groups_without_members` are objectGUIDs."""

    session: Session
    base: str
    members: set[str] = field(default_factory=set)
    foreign_members: set[ForeignMember] = field(default_factory=set)
    groups_without_members: set[str] = field(default_factory=set)
    has_missing_groups: bool = False

    def read_groups(self, groups: Collection[str]) -> None:
        """Read the members of the groups with these DNs."""
        lookups = [Lookup(by="dn", value=dn) for dn in groups]
        requested = ["objectGUID", "objectSid", _MEMBER]
        group_count, ids = 0, set[str]()
        for each in search.read_objects(
            self.session, self.base, lookups=lookups, attributes=requested
        ):
            group_count += 1
            self._add_members(each)
            if not each.members:
                self.groups_without_members.add(_object_guid(each))
            sids = each.attributes.get("objectsid", ())
            ids.update(filter(None, map(directory_entries.relative_id, sids)))
        self.has_missing_groups |= group_count < len(groups)
        primary = self.search_batches(filters.primary_group_filter, ids)
        self.members.update(map(_object_guid, primary))

    def _add_members(self, group: DirectoryEntry) -> None:
        domain = find_domain_name(self.base)
        for guid, dn in zip(group.members, group.member_dns, strict=True):
            if find_domain_name(dn) in {domain, None}:
                self.members.add(guid)
            else:
                self.foreign_members.add(ForeignMember(dn, guid))

    def search_batches(
        self, write_filter: Callable[[Sequence[str]], str], names: Collection[str]
    ) -> Iterator[DirectoryEntry]:
        """Yield every match, with only its objectGUID and DN."""
        for batch in search.in_batches(sorted(names)):
            yield from search.search_subtree(
                self.session,
                self.base,
                filter=write_filter(batch),
                attributes=["objectGUID"],
            )

    def is_complete(self) -> bool:
        """Return whether the groups that show no members are proven to have none."""
        if self.has_missing_groups:
            return False
        cleared = access.find_proven_clear(
            self.session,
            self.base,
            guids=sorted(self.groups_without_members),
            names=[_MEMBER],
        )
        return all(
            _MEMBER in cleared.get(each, ()) for each in self.groups_without_members
        )


def read_members(
    session: Session, base: str, group: str, *, nested: bool
) -> GroupMembers:
    """Return the members; `nested`: also through groups, which may form a circle."""
    reader = _MembersReader(session, base)
    followed: set[str] = set()
    seen: set[str] = set()
    level = {group}
    while level:
        reader.read_groups(level)
        seen |= level
        found = reader.search_batches(
            filters.nested_groups_filter, level if nested else ()
        )
        groups = {each.dn: _object_guid(each) for each in found}
        followed.update(groups.values())
        level = groups.keys() - seen
    return GroupMembers(
        ids=frozenset(reader.members),
        nested=frozenset(followed),
        is_complete=reader.is_complete(),
        foreign=frozenset(reader.foreign_members),
    )
