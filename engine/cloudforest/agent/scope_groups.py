"""The members of a scope's groups, followed through the domains that an agent reads.

Members of other domains are not objects of the job. Groups among them are followed;
the others are not reported.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from cloudforest.base.errors import CloudforestError, Refused
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Directory, Entry, ForeignMember
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.scoping.dn import find_domain_name, parse_dn_or_none

log = structlog.get_logger()
T = TypeVar("T")
DomainByDn = Mapping[str, str]
"""The domain of each DN."""


def _group_by_domain(
    items: Iterable[T], find_domain: Callable[[T], str]
) -> dict[str, list[T]]:
    grouped: dict[str, list[T]] = {}
    for each in items:
        grouped.setdefault(find_domain(each), []).append(each)
    return grouped


@dataclass(frozen=True)
class Forest:
    """The domains of an agent, keyed by lower-case name, seen from the job's domain."""

    job_domain: str
    directories: Mapping[str, Directory]

    def locate_scope(self, scope: ScopeProgram) -> DomainByDn:
        """Return the domain of each DN of a scope; OUs are in the job's domain.

        Raises Refused for a group of a domain that this agent does not read.
        """
        groups = {dn: find_domain_name(dn) or self.job_domain for dn in scope.groups}
        for dn, domain in groups.items():
            if domain not in self.directories:
                raise Refused(
                    f"The scope names {dn}, and this agent cannot read {domain}. Add "
                    f"{domain} to each agent of {self.job_domain}; `cloudforest "
                    "status` shows why a domain is not read."
                )
        return dict.fromkeys(scope.all_organizational_units, self.job_domain) | groups

    async def resolve_dns(self, domains: DomainByDn) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        guids: dict[str, str] = {}
        for domain, dns in _group_by_domain(domains, domains.__getitem__).items():
            guids |= await self.directories[domain].resolve_dns(dns)
        return guids

    async def read_current_dns(
        self, guids: Mapping[str, str], domains: DomainByDn
    ) -> dict[str, str]:
        """Return the current DN of each object that exists, keyed by objectGUID."""
        current: dict[str, str] = {}
        for domain, dns in _group_by_domain(guids, domains.__getitem__).items():
            lookups = [Lookup(by="guid", value=guids[dn]) for dn in dns]
            entries = self.directories[domain].read_objects(lookups, ())
            current |= {
                each.object_guid: each.dn
                async for each in entries
                if not each.is_deleted
            }
        return current


def build_forest(
    agent: str, domain: str, directories: Mapping[str, Directory]
) -> Forest:
    """Return the forest; raise Refused if the agent does not read the domain."""
    forest = Forest(
        job_domain=domain.lower(),
        directories={name.lower(): each for name, each in directories.items()},
    )
    if forest.job_domain not in forest.directories:
        raise Refused(
            f"The agent {agent} does not read {domain}. Add the domain to the agent, "
            "or ask another agent."
        )
    return forest


@dataclass(frozen=True)
class ScopeGroup:
    domain: str
    guid: str
    dn: str


@dataclass
class GroupMembership:
    """The members of a group: `ids` in the job's domain, `foreign_ids` elsewhere.

    `nested_groups` are the followed groups; `whole`: see `GroupMembers` of the port. A
    member known only by its DN gets an id made from that.
    """

    ids: set[str] = field(default_factory=set)
    foreign_ids: set[str] = field(default_factory=set)
    nested_groups: set[str] = field(default_factory=set)
    whole: bool = True

    def is_whole(self, known: AbstractSet[str]) -> bool:
        """Return whether all members are known; `known`: the previous nested groups.

        One of those that is a member and was not followed is hidden, with its members.
        """
        return self.whole and not self._members_among(known - self.nested_groups)

    def followed_groups(self, known: AbstractSet[str]) -> AbstractSet[str]:
        """Return the nested groups, including known ones that are hidden now."""
        return self.nested_groups | self._members_among(known)

    def _members_among(self, known: AbstractSet[str]) -> AbstractSet[str]:
        return (known & self.ids) | (known & self.foreign_ids)


def _id_from_dn(dn: str) -> str:
    names = parse_dn_or_none(dn) or (dn,)
    return str(uuid.uuid5(uuid.NAMESPACE_X500, ",".join(names)))


def _member_lookup(member: ForeignMember) -> Lookup:
    if member.object_guid is not None:
        return Lookup(by="guid", value=member.object_guid)
    return Lookup(by="dn", value=member.dn)


@dataclass
class _GroupWalk:
    forest: Forest
    nested: bool
    membership: GroupMembership = field(default_factory=GroupMembership)
    seen: set[str] = field(default_factory=set)

    async def follow(self, head: ScopeGroup) -> GroupMembership:
        """Follow the groups, and those of other domains as far as these answer.

        Another domain that fails hides its members, but does not stop the job.
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
                # As a member, another domain may know it only by its DN.
                self.membership.nested_groups |= {group.guid, _id_from_dn(group.dn)}
        return self.membership

    def _raise_unless_foreign(self, domain: str, error: CloudforestError) -> None:
        if domain == self.forest.job_domain:
            raise error
        log.warning("groups not followed", domain=domain, reason=str(error))

    async def _add_members(self, group: ScopeGroup) -> list[ScopeGroup]:
        """Add the members of a group; return the groups to follow."""
        directory = self.forest.directories[group.domain]
        members = await directory.read_members(group.dn, nested=self.nested)
        is_home = group.domain == self.forest.job_domain
        ids = self.membership.ids if is_home else self.membership.foreign_ids
        ids.update(members.ids)
        self.membership.nested_groups |= members.nested
        self.membership.whole &= members.is_complete
        self.seen |= members.nested
        by_domain = _group_by_domain(
            members.foreign, lambda each: find_domain_name(each.dn) or ""
        )
        return [
            each
            for domain, foreign in by_domain.items()
            for each in await self._add_foreign_members(domain, foreign)
        ]

    async def _add_foreign_members(
        self, domain: str, members: Collection[ForeignMember]
    ) -> list[ScopeGroup]:
        """Add members in `domain` of a group of another domain; return their groups."""
        is_home = domain == self.forest.job_domain
        ids = self.membership.ids if is_home else self.membership.foreign_ids
        ids.update(
            each.object_guid or _id_from_dn(each.dn)
            for each in members
            if each.object_guid or not is_home
        )
        without_guid = [each for each in members if is_home and not each.object_guid]
        entries: list[Entry] = []
        try:
            if without_guid:
                entries = await self._read_entries(domain, without_guid)
            if self.nested:
                entries += await self._read_entries(domain, members, "group")
        except CloudforestError as error:
            self._raise_unless_foreign(domain, error)
        if is_home:
            ids.update(each.object_guid for each in entries)
        return [
            ScopeGroup(domain, each.object_guid, each.dn)
            for each in entries
            if self.nested and each.type == "group"
        ]

    async def _read_entries(
        self,
        domain: str,
        members: Iterable[ForeignMember],
        kind: ObjectType | None = None,
    ) -> list[Entry]:
        directory = self.forest.directories.get(domain)
        if directory is None:
            return []
        entries = directory.read_objects([*map(_member_lookup, members)], (), kind)
        return [each async for each in entries if not each.is_deleted]


async def read_members(
    forest: Forest, group: ScopeGroup, *, nested: bool
) -> GroupMembership:
    """Return the members; `nested`: also through groups, which may form a loop."""
    return await _GroupWalk(forest, nested).follow(group)
