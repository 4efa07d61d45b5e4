"""A request, bound to the directory as it is now.

The domain, and the OUs and groups that a scope names: which they are, and where.

They were bound to objectGUIDs when they were first read. One that was renamed or moved
since is still the same; another object in its place is not.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from collections.abc import (
    Set as AbstractSet,
)
from dataclasses import dataclass

from cloudforest.agent import records
from cloudforest.agent.records import RequestedAttributes
from cloudforest.agent.scope_groups import (
    DomainByDn,
    Forest,
    GroupMembership,
    ScopeGroup,
    read_members,
)
from cloudforest.base.errors import Refused, Rejected, Unavailable
from cloudforest.model.messages import Lookup, Record, SyncRequest
from cloudforest.model.ports.directory import Directory, Entry
from cloudforest.model.program import Filter, ObjectType
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
from cloudforest.program.scoping.scope import CompiledScope, ResolvedScope


@dataclass(frozen=True)
class ScopeBindings:
    """objectGUIDs, DNs as they are now, and domains, keyed by the DN as written."""

    guids: Mapping[str, str]
    current_dns: Mapping[str, str]
    domains: DomainByDn


def require_bound_domain(request: SyncRequest, identity: str) -> None:
    """Raise Refused when this is not the domain that the job was bound to.

    None of its objects would be found here, as if all of them were gone.
    """
    if request.directory not in {None, identity}:
        raise Refused(
            f"What the agent reads as {request.domain} is not the domain that the job "
            f"{request.job} was bound to: its objectGUID is {identity}, not "
            f"{request.directory}. Give the agent the right controllers or export; if "
            f"another domain is meant, `cloudforest job restart {request.job} --reset "
            "Full` accepts it."
        )


class ScopeBindingChanged(Refused):
    """A name of the scope has passed to another object, whichever agent is asked."""


def _require_same_objects(request: SyncRequest, found: Mapping[str, str]) -> None:
    for dn, guid in found.items():
        if request.bindings.get(dn, guid) != guid:
            raise ScopeBindingChanged(
                f"{dn} now resolves to another object than the one that the scope was "
                f"bound to; if that is meant, `cloudforest job restart {request.job} "
                "--reset Full` accepts it."
            )


def _refuse_missing(missing: Collection[str], domains_by_dn: DomainByDn) -> None:
    if missing:
        domains = dict.fromkeys(domains_by_dn[dn] for dn in missing)
        raise Rejected(
            f"The scope names {' and '.join(missing)}, which {' or '.join(domains)} "
            "does not have or does not show to this account. Correct the scope, or the "
            "rights."
        )


async def bind_scope(request: SyncRequest, forest: Forest) -> ScopeBindings:
    """Raise Refused where a name has passed to another object, Rejected where none is.

    Half a scope would look like people who have left.
    """
    homes = forest.locate_scope(request.scope)
    found = await forest.resolve_dns(homes)
    _require_same_objects(request, found)
    held = {dn: guid for dn, guid in request.bindings.items() if dn not in found}
    away = {dn: held[dn] for dn in homes if dn in held}
    now = await forest.read_current_dns(away, homes)
    elsewhere = {dn: guid for dn, guid in away.items() if guid in now}
    guids = {**found, **elsewhere}
    _refuse_missing([dn for dn in homes if dn not in guids], homes)
    names = {dn: now[guid] for dn, guid in elsewhere.items()}
    return ScopeBindings(guids, {**{dn: dn for dn in found}, **names}, homes)


async def require_unmoved(
    request: SyncRequest, forest: Forest, bindings: ScopeBindings
) -> None:
    """Raise Unavailable when one was moved while the domain was read.

    Those below it would have been judged by where it was before, as if they had left.
    """
    expected = {bindings.current_dns[dn]: guid for dn, guid in bindings.guids.items()}
    homes = {
        bindings.current_dns[dn]: domain for dn, domain in bindings.domains.items()
    }
    if await forest.resolve_dns(homes) != expected:
        raise Unavailable(
            f"An organizational unit or a group that the scope of {request.job} names "
            f"was moved or renamed while {request.domain} was read; the next cycle "
            "reads again."
        )


READ_ORDER: tuple[ObjectType, ...] = ("contact", "user", "group")

UnprovenEntry = tuple[Entry, frozenset[str]]
"""An object, and what it does not show and may have."""

_NONE = frozenset[str]()


@dataclass(frozen=True)
class BoundRequest:
    """What was asked, and who answers it.

    `nested` are the groups through which others are in those of the scope.
    """

    request: SyncRequest
    directory: Directory
    forest: Forest
    identity: str
    bindings: ScopeBindings
    requested: RequestedAttributes
    scope: CompiledScope
    nested_groups: tuple[str, ...] = ()

    @property
    def object_types(self) -> tuple[ObjectType, ...]:
        """The types that the scope maps, in the order in which they are read."""
        return tuple(kind for kind in READ_ORDER if kind in self.request.scope.types)

    @property
    def scope_members(self) -> frozenset[str] | None:
        """Who the scope's groups hold; None: it names no groups."""
        return self.scope.resolved.members if self.request.scope.groups else None

    def object_records(
        self, entry: Entry, cleared: AbstractSet[str] = frozenset()
    ) -> Iterator[Record]:
        """Yield what may be said; `cleared` attributes are known to have no values."""
        return records.entry_records(
            entry, self.scope, self.request, self.requested, cleared
        )

    def possibly_hidden(self, entry: Entry) -> frozenset[str]:
        """Return what an object in scope does not show of what was asked for."""
        return (
            self.requested.possibly_hidden(entry)
            if self.scope.find_failing_clause(entry) is None
            else _NONE
        )

    async def proven_records(
        self, doubtful: Sequence[UnprovenEntry], *, unread: AbstractSet[str] = _NONE
    ) -> AsyncIterator[Record]:
        """Yield objects whose missing attributes may be hidden ones: one question.

        `unread` are those that nobody has read, so that they are not missing.
        """
        if not doubtful:
            return
        names = _NONE.union(*(missing for _, missing in doubtful))
        guids = [each.object_guid for each, _ in doubtful]
        empty = await self.directory.find_proven_clear(guids, sorted(names))
        for each, missing in doubtful:
            cleared = missing & empty.get(each.object_guid, set())
            for record in self.object_records(each, cleared | unread):
                yield record

    def attributes_to_read(self, kind: ObjectType) -> list[str]:
        return records.attributes_to_read(self.requested, kind, self.request.scope)

    def type_filter(self, kind: ObjectType) -> Filter | None:
        """Return what must hold of objects of a type, whatever else must."""
        chosen = self.request.scope.filters.get(kind)
        return None if chosen is None else chosen.tree

    async def require_unmoved(self) -> None:
        await require_unmoved(self.request, self.forest, self.bindings)


def _is_by_attribute(lookup: Lookup) -> bool:
    return lookup.by == "attribute" or lookup.attribute is not None


def _refuse_secrets(request: SyncRequest) -> None:
    # To search by an attribute, or to filter by it, betrays its value as well.
    names = [name for each in request.attributes.values() for name in each]
    names += [
        each.attribute or "" for each in request.lookups if _is_by_attribute(each)
    ]
    names += [
        name
        for kind in READ_ORDER
        for name in records.attributes_to_read(
            RequestedAttributes(), kind, request.scope
        )
    ]
    for name in names:
        if not is_attribute_name(name):
            raise Refused(
                f"{name!r} is not the name of a directory attribute, and agents read "
                "by name only. Correct the mapping or the filter that holds it."
            )
        if is_forbidden(name):
            raise Refused(
                f"The attribute {name} holds secrets, and agents never read it. Take "
                "it out of the mapping or the filter that names it."
            )


def _known_nested_groups(request: SyncRequest) -> frozenset[str]:
    """Return the nested groups of before, as far as the scope still follows any."""
    return frozenset(request.nested if request.scope.nested_groups else ())


async def _read_group_members(
    request: SyncRequest, forest: Forest, bindings: ScopeBindings
) -> dict[str, GroupMembership]:
    nested = request.scope.nested_groups
    groups = [
        ScopeGroup(bindings.domains[dn], bindings.guids[dn], bindings.current_dns[dn])
        for dn in request.scope.groups
    ]
    return {
        each.guid: await read_members(forest, each, nested=nested) for each in groups
    }


def _resolve_scope(
    request: SyncRequest, bindings: ScopeBindings, groups: Mapping[str, GroupMembership]
) -> ResolvedScope:
    known = _known_nested_groups(request)
    return ResolvedScope(
        groups={guid: frozenset(each.ids) for guid, each in groups.items()},
        partial_groups=frozenset(
            guid for guid, each in groups.items() if not each.is_whole(known)
        ),
        current_dns=bindings.current_dns,
    )


def _followed_groups(
    request: SyncRequest, groups: Mapping[str, GroupMembership]
) -> tuple[str, ...]:
    known = _known_nested_groups(request)
    found = (each.followed_groups(known) for each in groups.values())
    return tuple(sorted(frozenset[str]().union(*found)))


async def bind_request(request: SyncRequest, forest: Forest) -> BoundRequest:
    """Resolve the scope, and compile it.

    Raises Refused for an attribute that holds secrets, or another domain than the
    job's, and what `bound` raises.
    """
    _refuse_secrets(request)
    directory = forest.directories[forest.job_domain]
    identity = await directory.identify_domain()
    require_bound_domain(request, identity)
    it = await bind_scope(request, forest)
    groups = await _read_group_members(request, forest, it)
    resolved = _resolve_scope(request, it, groups)
    return BoundRequest(
        request=request,
        directory=directory,
        forest=forest,
        identity=identity,
        bindings=it,
        requested=records.requested_attributes(
            request.attributes, may_hide=not await directory.shows_all_values()
        ),
        scope=CompiledScope(request.scope, resolved),
        nested_groups=_followed_groups(request, groups),
    )
