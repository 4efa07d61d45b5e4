"""Who the members of a scope's group are, through groups of any domain of the agent.

Members of other domains are not objects of the job's: they are followed where they are
groups, and not named.

The domains that an agent reads, as far as the groups of a scope reach into them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import structlog

from cloudforest.base.errors import CloudforestError, Refused
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Directory, Entry, ForeignMember
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import find_domain_name, parse_dn

DomainByDn = Mapping[str, str]
"""The domain that each DN is to be found in."""


@dataclass(frozen=True)
class Forest:
    """`home` is the job's domain. The directories are keyed by names in lower case."""

    job_domain: str
    directories: Mapping[str, Directory]

    def locate_scope(self, scope: ScopeProgram) -> DomainByDn:
        """Return where to look for what a scope names: for OUs, always at home.

        Raises Refused for a group of a domain that this agent does not read.
        """
        groups = {dn: find_domain_name(dn) or self.job_domain for dn in scope.groups}
        for dn, domain in groups.items():
            if domain not in self.directories:
                raise Refused(
                    f"The scope names {dn}, and the agent that was asked can't read "
                    f"{domain}. Every agent of {self.job_domain} needs {domain} "
                    "among its "
                    "domains; `cloudforest status` says what keeps one from it."
                )
        return {
            **dict.fromkeys(scope.all_organizational_units, self.job_domain),
            **groups,
        }

    async def resolve_dns(self, domains: DomainByDn) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        found: dict[str, str] = {}
        for domain, dns in _group_by_domain(domains, domains):
            found |= await self.directories[domain].resolve_dns(dns)
        return found

    async def read_current_dns(
        self, guids: Mapping[str, str], domains: DomainByDn
    ) -> dict[str, str]:
        """Return the DNs of now of those objects that exist, keyed by objectGUID."""
        found: dict[str, str] = {}
        for domain, dns in _group_by_domain(guids, domains):
            lookups = [Lookup(by="guid", value=guids[dn]) for dn in dns]
            read = self.directories[domain].read_objects(lookups, ())
            found |= {
                each.object_guid: each.dn async for each in read if not each.is_deleted
            }
        return found


def _group_by_domain(
    dns: Iterable[str], domains: DomainByDn
) -> Iterator[tuple[str, list[str]]]:
    held: dict[str, list[str]] = {}
    for dn in dns:
        held.setdefault(domains[dn], []).append(dn)
    yield from held.items()


def build_forest(domain: str, directories: Mapping[str, Directory]) -> Forest:
    return Forest(
        job_domain=domain.lower(),
        directories={name.lower(): each for name, each in directories.items()},
    )


log = structlog.get_logger()


@dataclass(frozen=True)
class ScopeGroup:
    """A group; `ids` is what it is told by where it is a member."""

    domain: str
    guid: str
    dn: str
    ids: frozenset[str] = frozenset()


@dataclass
class GroupMembership:
    """The members of a group that are of the job's domain, and the `others`.

    `nested` are the groups that were followed; `whole`: see `ports.GroupMembers`. A
    member that is known by its name alone is told by a digest of that.
    """

    ids: set[str] = field(default_factory=set)
    foreign_ids: set[str] = field(default_factory=set)
    nested_groups: set[str] = field(default_factory=set)
    whole: bool = True

    def is_whole(self, known: AbstractSet[str]) -> bool:
        """Tell whether it has no other members; `known` are nested groups of before.

        One of them that is a member and was not followed is hidden, with those in it.
        """
        return self.whole and not self._members_among(known - self.nested_groups)

    def followed_groups(self, known: AbstractSet[str]) -> AbstractSet[str]:
        """Return the nested groups, those among them that are hidden by now."""
        return self.nested_groups | self._members_among(known)

    def _members_among(self, known: AbstractSet[str]) -> AbstractSet[str]:
        return (known & self.ids) | (known & self.foreign_ids)


def _id_from_dn(dn: str) -> str:
    try:
        names = parse_dn(dn)
    except SyntaxFault:
        names = (dn,)
    return str(uuid.uuid5(uuid.NAMESPACE_X500, ",".join(names)))


def _member_id(member: ForeignMember) -> str:
    return member.object_guid or _id_from_dn(member.dn)


def _to_group(domain: str, entry: Entry) -> ScopeGroup:
    ids = frozenset({entry.object_guid, _id_from_dn(entry.dn)})
    return ScopeGroup(domain, entry.object_guid, entry.dn, ids)


def _member_lookup(member: ForeignMember) -> Lookup:
    if member.object_guid is not None:
        return Lookup(by="guid", value=member.object_guid)
    return Lookup(by="dn", value=member.dn)


def _group_members_by_domain(
    members: Iterable[ForeignMember],
) -> Iterator[tuple[str, list[ForeignMember]]]:
    held: dict[str, list[ForeignMember]] = {}
    for each in members:
        held.setdefault(find_domain_name(each.dn) or "", []).append(each)
    yield from held.items()


@dataclass
class _GroupWalk:
    forest: Forest
    nested: bool
    membership: GroupMembership = field(default_factory=GroupMembership)
    seen: set[str] = field(default_factory=set)

    async def follow(self, head: ScopeGroup) -> GroupMembership:
        """Follow the groups, and those of other domains as far as these answer.

        What such a one hides, it hides: no other domain stops the job of this one.
        """
        self.seen.add(head.guid)
        groups = await self._add_members(head)
        while groups:
            group = groups.pop()
            if group.guid in self.seen:
                continue
            self.seen.add(group.guid)
            try:
                groups += await self._add_members(group)
            except CloudforestError as error:
                self._raise_unless_foreign(group.domain, error)
            else:
                self.membership.nested_groups |= group.ids
        return self.membership

    def _raise_unless_foreign(self, domain: str, error: CloudforestError) -> None:
        if domain == self.forest.job_domain:
            raise error
        log.warning("groups not followed", domain=domain, reason=str(error))

    async def _add_members(self, group: ScopeGroup) -> list[ScopeGroup]:
        """Take in the members of a group; return those that are to be followed."""
        directory = self.forest.directories[group.domain]
        here = await directory.read_members(group.dn, nested=self.nested)
        home = group.domain == self.forest.job_domain
        (self.membership.ids if home else self.membership.foreign_ids).update(here.ids)
        self.membership.nested_groups |= here.nested
        self.membership.whole &= here.is_complete
        self.seen |= here.nested
        return [
            each
            for domain, several in _group_members_by_domain(here.foreign)
            for each in await self._add_foreign_members(domain, several)
        ]

    async def _add_foreign_members(
        self, domain: str, members: Collection[ForeignMember]
    ) -> list[ScopeGroup]:
        """Take in members that lie in this domain, and not in that of their group."""
        is_home = domain == self.forest.job_domain
        if is_home:
            self.membership.ids.update(
                each.object_guid for each in members if each.object_guid
            )
        else:
            self.membership.foreign_ids.update(map(_member_id, members))
        nameless = [each for each in members if is_home and each.object_guid is None]
        found: list[Entry] = []
        try:
            if nameless:
                found = await self._read_entries(domain, nameless)
            if self.nested:
                found += await self._read_entries(domain, members, "group")
        except CloudforestError as error:
            self._raise_unless_foreign(domain, error)
        if is_home:
            self.membership.ids.update(each.object_guid for each in found)
        groups = [each for each in found if self.nested and each.type == "group"]
        return [_to_group(domain, each) for each in groups]

    async def _read_entries(
        self,
        domain: str,
        members: Iterable[ForeignMember],
        kind: ObjectType | None = None,
    ) -> list[Entry]:
        directory = self.forest.directories.get(domain)
        if directory is None:
            return []
        read = directory.read_objects([*map(_member_lookup, members)], (), kind)
        return [each async for each in read if not each.is_deleted]


async def read_members(
    forest: Forest, group: ScopeGroup, *, nested: bool
) -> GroupMembership:
    """Return the members, through other groups if asked, which may form a circle."""
    return await _GroupWalk(forest, nested).follow(group)
