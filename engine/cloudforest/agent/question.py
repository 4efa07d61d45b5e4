"""A request bound to the current directory: its domain, OUs and groups.

The first import binds the DNs of a scope to objectGUIDs. A renamed or moved object
keeps its binding; another object with the same DN is refused.
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

READ_ORDER: tuple[ObjectType, ...] = ("contact", "user", "group")

UnprovenEntry = tuple[Entry, frozenset[str]]
"""An object, and the attributes that may be hidden."""

_NONE = frozenset[str]()


@dataclass(frozen=True)
class ScopeBindings:
    """objectGUIDs, current DNs and domains, keyed by the DN in the scope."""

    guids: Mapping[str, str]
    current_dns: Mapping[str, str]
    domains: DomainByDn


def require_bound_domain(request: SyncRequest, identity: str) -> None:
    """Raise Refused if this is not the domain that the job is bound to.

    All objects of the job would be missing here, as if they were deleted.
    """
    if request.directory not in {None, identity}:
        raise Refused(
            f"The agent reads another domain as {request.domain} than the one that the "
            f"job {request.job} is bound to: objectGUID {identity}, not "
            f"{request.directory}. Correct the controllers or the export of the agent. "
            f"To accept the new domain: `cloudforest job restart {request.job} --reset "
            "Full`."
        )


class ScopeBindingChanged(Refused):
    """A DN of the scope belongs to another object now; any agent would refuse it."""


def _require_same_objects(request: SyncRequest, current: Mapping[str, str]) -> None:
    for dn, guid in current.items():
        if request.bindings.get(dn, guid) != guid:
            raise ScopeBindingChanged(
                f"{dn} now resolves to another object than the one that the scope is "
                f"bound to. To accept it: `cloudforest job restart {request.job} "
                "--reset Full`."
            )


def _refuse_missing(missing: Collection[str], domains_by_dn: DomainByDn) -> None:
    if missing:
        domains = dict.fromkeys(domains_by_dn[dn] for dn in missing)
        raise Rejected(
            f"The scope names {' and '.join(missing)}, not found in "
            f"{' or '.join(domains)}, or hidden from the agent's account. Correct the "
            "scope or the rights."
        )


async def bind_scope(request: SyncRequest, forest: Forest) -> ScopeBindings:
    """Resolve the DNs of the scope.

    Raises Refused if one belongs to another object now, Rejected if one is missing:
    people in the missing part would look like leavers.
    """
    domains = forest.locate_scope(request.scope)
    resolved = await forest.resolve_dns(domains)
    _require_same_objects(request, resolved)
    bound = {dn: guid for dn, guid in request.bindings.items() if dn not in resolved}
    missing = {dn: bound[dn] for dn in domains if dn in bound}
    current = await forest.read_current_dns(missing, domains)
    moved = {dn: guid for dn, guid in missing.items() if guid in current}
    guids = {**resolved, **moved}
    _refuse_missing([dn for dn in domains if dn not in guids], domains)
    new_dns = {dn: current[guid] for dn, guid in moved.items()}
    return ScopeBindings(guids, {**{dn: dn for dn in resolved}, **new_dns}, domains)


async def require_unmoved(
    request: SyncRequest, forest: Forest, bindings: ScopeBindings
) -> None:
    """Raise Unavailable if an OU or group of the scope moved during the read.

    The objects below it would be evaluated at their old place, and look like leavers.
    """
    expected = {bindings.current_dns[dn]: guid for dn, guid in bindings.guids.items()}
    domains = {
        bindings.current_dns[dn]: domain for dn, domain in bindings.domains.items()
    }
    if await forest.resolve_dns(domains) != expected:
        raise Unavailable(
            f"An OU or group in the scope of {request.job} was moved or renamed while "
            f"{request.domain} was read. The next cycle reads again."
        )


@dataclass(frozen=True)
class BoundRequest:
    """A request with the directory that answers it and the compiled scope.

    `nested_groups`: groups that are members of the scope's groups.
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
        """The types that the scope maps, in reading order."""
        return tuple(kind for kind in READ_ORDER if kind in self.request.scope.types)

    @property
    def scope_members(self) -> frozenset[str] | None:
        """The members of the scope's groups; None if the scope names no group."""
        return self.scope.resolved.members if self.request.scope.groups else None

    def object_records(
        self, entry: Entry, cleared: AbstractSet[str] = frozenset()
    ) -> Iterator[Record]:
        """Yield the records of an object; `cleared` attributes are proven empty."""
        return records.entry_records(
            entry, self.scope, self.request, self.requested, cleared
        )

    def possibly_hidden(self, entry: Entry) -> frozenset[str]:
        """Return the requested attributes that an object in scope does not show."""
        return (
            self.requested.possibly_hidden(entry)
            if self.scope.find_failing_clause(entry) is None
            else _NONE
        )

    async def proven_records(
        self, unproven: Sequence[UnprovenEntry], *, unread: AbstractSet[str] = _NONE
    ) -> AsyncIterator[Record]:
        """Yield the records of objects after one query for proof of empty attributes.

        `unread`: attributes that were not read, so they do not count as missing.
        """
        if not unproven:
            return
        names = _NONE.union(*(missing for _, missing in unproven))
        guids = [each.object_guid for each, _ in unproven]
        clear = await self.directory.find_proven_clear(guids, sorted(names))
        for each, missing in unproven:
            cleared = missing & clear.get(each.object_guid, set())
            for record in self.object_records(each, cleared | unread):
                yield record

    def attributes_to_read(self, kind: ObjectType) -> list[str]:
        return records.attributes_to_read(self.requested, kind, self.request.scope)

    def type_filter(self, kind: ObjectType) -> Filter | None:
        """Return the scoping filter of a type, for the directory query."""
        scoping_filter = self.request.scope.filters.get(kind)
        return None if scoping_filter is None else scoping_filter.tree

    async def require_unmoved(self) -> None:
        await require_unmoved(self.request, self.forest, self.bindings)


def _is_by_attribute(lookup: Lookup) -> bool:
    return lookup.by == "attribute" or lookup.attribute is not None


def _refuse_secrets(request: SyncRequest) -> None:
    # Searching or filtering by an attribute reveals its value too.
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
                f'"{name}" is not the name of a directory attribute. Correct the '
                "mapping or the filter that uses it."
            )
        if is_forbidden(name):
            raise Refused(
                f'Agents never read "{name}", which holds secrets. Remove it from the '
                "mapping or the filter that uses it."
            )


def _known_nested_groups(request: SyncRequest) -> frozenset[str]:
    """Return the previous nested groups, if the scope still follows them."""
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
    followed = (each.followed_groups(known) for each in groups.values())
    return tuple(sorted(_NONE.union(*followed)))


async def bind_request(request: SyncRequest, forest: Forest) -> BoundRequest:
    """Resolve the scope and compile it.

    Raises Refused for a forbidden attribute or a wrong domain, and what `bind_scope`
    raises.
    """
    _refuse_secrets(request)
    directory = forest.directories[forest.job_domain]
    identity = await directory.identify_domain()
    require_bound_domain(request, identity)
    bindings = await bind_scope(request, forest)
    groups = await _read_group_members(request, forest, bindings)
    resolved = _resolve_scope(request, bindings, groups)
    return BoundRequest(
        request=request,
        directory=directory,
        forest=forest,
        identity=identity,
        bindings=bindings,
        requested=records.requested_attributes(
            request.attributes, may_hide=not await directory.shows_all_values()
        ),
        scope=CompiledScope(request.scope, resolved),
        nested_groups=_followed_groups(request, groups),
    )
