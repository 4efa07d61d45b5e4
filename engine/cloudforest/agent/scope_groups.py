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
from cloudforest.model.ports.directory import Directory, Entry, Foreign
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import domain_of, parse_dn

Homes = Mapping[str, str]
"""The domain that each DN is to be found in."""


@dataclass(frozen=True)
class Forest:
    """`home` is the job's domain. The directories are keyed by names in lower case."""

    home: str
    directories: Mapping[str, Directory]

    def homes(self, scope: ScopeProgram) -> Homes:
        """Return where to look for what a scope names: for OUs, always at home.

        Raises Refused for a group of a domain that this agent does not read.
        """
        groups = {dn: domain_of(dn) or self.home for dn in scope.groups}
        for dn, domain in groups.items():
            if domain not in self.directories:
                raise Refused(
                    f"The scope names {dn}, and the agent that was asked can't read "
                    f"{domain}. Every agent of {self.home} needs {domain} among its "
                    "domains; `cloudforest status` says what keeps one from it."
                )
        return {**dict.fromkeys(scope.places, self.home), **groups}

    async def resolve(self, homes: Homes) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        found: dict[str, str] = {}
        for domain, dns in _by_home(homes, homes):
            found |= await self.directories[domain].resolve(dns)
        return found

    async def names(self, guids: Mapping[str, str], homes: Homes) -> dict[str, str]:
        """Return the DNs of now of those objects that exist, keyed by objectGUID."""
        found: dict[str, str] = {}
        for domain, dns in _by_home(guids, homes):
            lookups = [Lookup(by="guid", value=guids[dn]) for dn in dns]
            read = self.directories[domain].read(lookups, ())
            found |= {each.guid: each.dn async for each in read if not each.deleted}
        return found


def _by_home(dns: Iterable[str], homes: Homes) -> Iterator[tuple[str, list[str]]]:
    held: dict[str, list[str]] = {}
    for dn in dns:
        held.setdefault(homes[dn], []).append(dn)
    yield from held.items()


def forest_of(domain: str, directories: Mapping[str, Directory]) -> Forest:
    return Forest(
        home=domain.lower(),
        directories={name.lower(): each for name, each in directories.items()},
    )


log = structlog.get_logger()


@dataclass(frozen=True)
class Group:
    """A group; `ids` is what it is told by where it is a member."""

    domain: str
    guid: str
    dn: str
    ids: frozenset[str] = frozenset()


@dataclass
class Membership:
    """The members of a group that are of the job's domain, and the `others`.

    `nested` are the groups that were followed; `whole`: see `ports.GroupMembers`. A
    member that is known by its name alone is told by a digest of that.
    """

    ids: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    nested: set[str] = field(default_factory=set)
    whole: bool = True

    def is_whole(self, known: AbstractSet[str]) -> bool:
        """Tell whether it has no other members; `known` are nested groups of before.

        One of them that is a member and was not followed is hidden, with those in it.
        """
        return self.whole and not self._members_among(known - self.nested)

    def followed(self, known: AbstractSet[str]) -> AbstractSet[str]:
        """Return the nested groups, those among them that are hidden by now."""
        return self.nested | self._members_among(known)

    def _members_among(self, known: AbstractSet[str]) -> AbstractSet[str]:
        return (known & self.ids) | (known & self.others)


def _of_name(dn: str) -> str:
    try:
        names = parse_dn(dn)
    except SyntaxFault:
        names = (dn,)
    return str(uuid.uuid5(uuid.NAMESPACE_X500, ",".join(names)))


def _id(member: Foreign) -> str:
    return member.guid or _of_name(member.dn)


def _group(domain: str, entry: Entry) -> Group:
    ids = frozenset({entry.guid, _of_name(entry.dn)})
    return Group(domain, entry.guid, entry.dn, ids)


def _lookup(member: Foreign) -> Lookup:
    if member.guid is not None:
        return Lookup(by="guid", value=member.guid)
    return Lookup(by="dn", value=member.dn)


def _by_domain(members: Iterable[Foreign]) -> Iterator[tuple[str, list[Foreign]]]:
    held: dict[str, list[Foreign]] = {}
    for each in members:
        held.setdefault(domain_of(each.dn) or "", []).append(each)
    yield from held.items()


@dataclass
class _Walk:
    forest: Forest
    nested: bool
    found: Membership = field(default_factory=Membership)
    seen: set[str] = field(default_factory=set)

    async def through(self, head: Group) -> Membership:
        """Follow the groups, and those of other domains as far as these answer.

        What such a one hides, it hides: no other domain stops the job of this one.
        """
        self.seen.add(head.guid)
        groups = await self._members(head)
        while groups:
            group = groups.pop()
            if group.guid in self.seen:
                continue
            self.seen.add(group.guid)
            try:
                groups += await self._members(group)
            except CloudforestError as error:
                self._require_abroad(group.domain, error)
            else:
                self.found.nested |= group.ids
        return self.found

    def _require_abroad(self, domain: str, error: CloudforestError) -> None:
        if domain == self.forest.home:
            raise error
        log.warning("groups not followed", domain=domain, reason=str(error))

    async def _members(self, group: Group) -> list[Group]:
        """Take in the members of a group; return those that are to be followed."""
        directory = self.forest.directories[group.domain]
        here = await directory.members(group.dn, nested=self.nested)
        home = group.domain == self.forest.home
        (self.found.ids if home else self.found.others).update(here.ids)
        self.found.nested |= here.nested
        self.found.whole &= here.whole
        self.seen |= here.nested
        return [
            each
            for domain, several in _by_domain(here.foreign)
            for each in await self._foreign(domain, several)
        ]

    async def _foreign(self, domain: str, members: Collection[Foreign]) -> list[Group]:
        """Take in members that lie in this domain, and not in that of their group."""
        is_home = domain == self.forest.home
        if is_home:
            self.found.ids.update(each.guid for each in members if each.guid)
        else:
            self.found.others.update(map(_id, members))
        nameless = [each for each in members if is_home and each.guid is None]
        found: list[Entry] = []
        try:
            if nameless:
                found = await self._read(domain, nameless)
            if self.nested:
                found += await self._read(domain, members, "group")
        except CloudforestError as error:
            self._require_abroad(domain, error)
        if is_home:
            self.found.ids.update(each.guid for each in found)
        groups = [each for each in found if self.nested and each.type == "group"]
        return [_group(domain, each) for each in groups]

    async def _read(
        self, domain: str, members: Iterable[Foreign], kind: ObjectType | None = None
    ) -> list[Entry]:
        directory = self.forest.directories.get(domain)
        if directory is None:
            return []
        read = directory.read([*map(_lookup, members)], (), kind)
        return [each async for each in read if not each.deleted]


async def members_of(forest: Forest, group: Group, *, nested: bool) -> Membership:
    """Return the members, through other groups if asked, which may form a circle."""
    return await _Walk(forest, nested).through(group)
