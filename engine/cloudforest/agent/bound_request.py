"""A request bound to the current directory, and its records: what an agent reports.

The first import binds the DNs of a scope to objectGUIDs. A renamed or moved object
keeps its binding; another object with the same DN is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloudforest.agent.scope_groups import (
    DomainByDn,
    Forest,
    ScopeGroup,
    read_members,
)
from cloudforest.base.errors import Refused, Rejected, Unavailable
from cloudforest.model.messages import (
    InScope,
    Members,
    OutOfScope,
    Record,
    SyncRequest,
    Tombstone,
    Unknown,
)
from cloudforest.model.ports.directory import Directory, Entry
from cloudforest.model.program import Filter, ObjectType
from cloudforest.program.digest import COMPUTED_ATTRIBUTES
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
from cloudforest.program.scoping.scope import (
    UNREADABLE_DN,
    CompiledScope,
    ResolvedScope,
    needed_attributes,
)

READ_ORDER: tuple[ObjectType, ...] = ("contact", "user", "group")
ANCHOR_ATTRIBUTE = "ms-ds-consistencyguid"
MEMBER_ATTRIBUTE = "member"
GUIDS_PER_RECORD = 500
UNREADABLE_DN_REASON = (
    "Its distinguished name cannot be parsed, so its scope is unknown."
)

UnprovenEntry = tuple[Entry, frozenset[str]]
"""An object, and the attributes that may be hidden."""

_NONE = frozenset[str]()


def split_guids(guids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(guids), GUIDS_PER_RECORD):
        yield tuple(guids[start : start + GUIDS_PER_RECORD])


async def batch_guids(entries: AsyncIterator[Entry]) -> AsyncIterator[tuple[str, ...]]:
    batch: list[str] = []
    async for each in entries:
        batch.append(each.object_guid)
        if len(batch) == GUIDS_PER_RECORD:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


@dataclass(frozen=True)
class ScopeBindings:
    """objectGUIDs, current DNs and domains, keyed by the DN in the scope."""

    guids: Mapping[str, str]
    current_dns: Mapping[str, str]
    domains: DomainByDn


@dataclass(frozen=True)
class BoundRequest:
    """A request with the directory that answers it and the compiled scope.

    `requested`: the attributes of each type that may cross the bus, in lower case.
    `may_hide`: the directory may have values that it does not show.
    `nested_groups`: groups that are members of the scope's groups.
    """

    request: SyncRequest
    directory: Directory
    forest: Forest
    identity: str
    bindings: ScopeBindings
    requested: Mapping[ObjectType, frozenset[str]]
    may_hide: bool
    scope: CompiledScope
    nested_groups: tuple[str, ...]

    @property
    def object_types(self) -> tuple[ObjectType, ...]:
        """The types that the scope maps, in reading order."""
        return tuple(kind for kind in READ_ORDER if kind in self.request.scope.types)

    @property
    def scope_members(self) -> frozenset[str] | None:
        """The members of the scope's groups; None if the scope names no group."""
        return self.scope.resolved.members if self.request.scope.groups else None

    def attributes_to_read(self, kind: ObjectType) -> list[str]:
        """Return the attributes that the answer, the scope and the anchor need."""
        needed = needed_attributes(self.request.scope, kind)
        return sorted({*self.requested.get(kind, ()), *needed, ANCHOR_ATTRIBUTE})

    def type_filter(self, kind: ObjectType) -> Filter | None:
        """Return the scoping filter of a type, for the directory query."""
        scoping_filter = self.request.scope.filters.get(kind)
        return None if scoping_filter is None else scoping_filter.tree

    def possibly_hidden(self, entry: Entry) -> frozenset[str]:
        """Return the requested attributes that an object in scope does not show."""
        in_scope = self.scope.find_failing_clause(entry) is None
        return self._requested_without_value(entry) if in_scope else _NONE

    def _requested_without_value(self, entry: Entry) -> frozenset[str]:
        """Return attributes that may be hidden; not `member` if members are known."""
        names = self.requested.get(entry.type) if entry.type and self.may_hide else None
        empty = frozenset(n for n in names or () if not entry.attributes.get(n))
        has_members = entry.members or entry.former_members
        return empty - {MEMBER_ATTRIBUTE} if has_members else empty

    def object_records(
        self, entry: Entry, cleared: AbstractSet[str] = _NONE
    ) -> Iterator[Record]:
        """Yield what an agent may report; `cleared` attributes are proven empty.

        Out of scope: its objectGUID, the names of its hidden attributes and, in a
        `read`, the clause. Unknown: it does not show its classes, or its DN cannot be
        parsed and no other clause keeps it out.
        """
        scope, id_ = self.scope, entry.object_guid
        is_read = self.request.kind == "read"
        clause = scope.find_failing_clause(entry)
        explains = self.request.explain and is_read
        clauses = scope.evaluate_clauses(entry) if explains else ()
        rests_on = () if clause is None else scope.find_deciding_hidden(entry, cleared)
        if entry.is_deleted:
            yield Tombstone(id=id_)
        elif not entry.classes:
            yield Unknown(id=id_)
        elif UNREADABLE_DN in rests_on:
            yield Unknown(id=id_, reason=UNREADABLE_DN_REASON)
        elif clause is not None or entry.type is None:
            clause = clause if is_read else None
            yield OutOfScope(id=id_, clause=clause, rests_on=rests_on, clauses=clauses)
        else:
            values, names = entry.attributes, self.requested.get(entry.type, _NONE)
            missing = self._requested_without_value(entry) - cleared
            yield InScope(
                id=id_,
                type=entry.type,
                dn=entry.dn,
                parent=entry.parent,
                anchor=next(iter(values.get(ANCHOR_ATTRIBUTE, ())), id_),
                # The requested attributes, and no others.
                attributes={n: values[n] for n in sorted(names) if values.get(n)},
                seen=scope.find_shown(entry),
                hidden=scope.find_hidden(entry, cleared),
                missing=tuple(sorted(missing)),
                clauses=clauses,
            )
            if MEMBER_ATTRIBUTE in names:
                yield from self._member_records(entry)

    def _member_records(self, entry: Entry) -> Iterator[Members]:
        id_, links = entry.object_guid, entry.members or entry.former_members
        if not links and self.request.kind == "read":
            # A read reports the members even if the group is empty.
            yield Members(id=id_)
        for part in split_guids(entry.members):
            yield Members(id=id_, add=part)
        for part in split_guids(entry.former_members):
            yield Members(id=id_, remove=part)

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


class ScopeBindingChanged(Refused):
    """A DN of the scope belongs to another object now; any agent would refuse it."""


async def _bind_scope(request: SyncRequest, forest: Forest) -> ScopeBindings:
    """Resolve the DNs of the scope.

    Raises Refused if one belongs to another object now, Rejected if one is missing:
    people in the missing part would look like leavers.
    """
    domains = forest.locate_scope(request.scope)
    resolved = await forest.resolve_dns(domains)
    for dn, guid in resolved.items():
        if request.bindings.get(dn, guid) != guid:
            raise ScopeBindingChanged(
                f"{dn} now resolves to another object than the one that the scope is "
                f"bound to. To accept it: `cloudforest job restart {request.job} "
                "--reset Full`."
            )
    bound = {
        dn: request.bindings[dn]
        for dn in domains
        if dn in request.bindings and dn not in resolved
    }
    current = await forest.read_current_dns(bound, domains)
    moved = {dn: guid for dn, guid in bound.items() if guid in current}
    guids = {**resolved, **moved}
    if missing := [dn for dn in domains if dn not in guids]:
        searched = dict.fromkeys(domains[dn] for dn in missing)
        raise Rejected(
            f"The scope names {' and '.join(missing)}, not found in "
            f"{' or '.join(searched)}, or hidden from the agent's account. Correct the "
            "scope or the rights."
        )
    new_dns = {dn: current[guid] for dn, guid in moved.items()}
    return ScopeBindings(guids, {**{dn: dn for dn in resolved}, **new_dns}, domains)


async def require_unmoved(bound: BoundRequest) -> None:
    """Raise Unavailable if an OU or group of the scope moved during the read.

    The objects below it would be evaluated at their old place, and look like leavers.
    """
    bindings, current = bound.bindings, bound.bindings.current_dns
    expected = {current[dn]: guid for dn, guid in bindings.guids.items()}
    domains = {current[dn]: domain for dn, domain in bindings.domains.items()}
    if await bound.forest.resolve_dns(domains) != expected:
        raise Unavailable(
            f"An OU or group in the scope of {bound.request.job} was moved or renamed "
            f"while {bound.request.domain} was read. The next cycle reads again."
        )


def _refuse_secrets(request: SyncRequest) -> None:
    # Searching or filtering by an attribute reveals its value too.
    names = [name for each in request.attributes.values() for name in each]
    names += [
        each.attribute or ""
        for each in request.lookups
        if each.by == "attribute" or each.attribute is not None
    ]
    for kind in READ_ORDER:
        names += sorted(needed_attributes(request.scope, kind))
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


async def bind_request(request: SyncRequest, forest: Forest) -> BoundRequest:
    """Resolve the scope and compile it.

    Raises Refused for a forbidden attribute or another domain than the job is bound to
    (all its objects would be missing, as if they were deleted), and what `_bind_scope`
    raises.
    """
    _refuse_secrets(request)
    directory, scope = forest.directories[forest.job_domain], request.scope
    identity = await directory.identify_domain()
    if request.directory not in {None, identity}:
        raise Refused(
            f"The agent reads another domain as {request.domain} than the one that the "
            f"job {request.job} is bound to: objectGUID {identity}, not "
            f"{request.directory}. Correct the controllers or the export of the agent. "
            f"To accept the new domain: `cloudforest job restart {request.job} --reset "
            "Full`."
        )
    bindings = await _bind_scope(request, forest)
    members = {}
    for dn in scope.groups:
        guid = bindings.guids[dn]
        group = ScopeGroup(bindings.domains[dn], guid, bindings.current_dns[dn])
        members[guid] = await read_members(forest, group, nested=scope.nested_groups)
    known = frozenset(request.nested if scope.nested_groups else ())
    nested = frozenset[str]().union(
        *(each.followed_groups(known) for each in members.values())
    )
    resolved = ResolvedScope(
        groups={guid: frozenset(each.ids) for guid, each in members.items()},
        current_dns=bindings.current_dns,
        partial_groups=frozenset(
            guid for guid, each in members.items() if not each.is_whole(known)
        ),
    )
    return BoundRequest(
        request=request,
        directory=directory,
        forest=forest,
        identity=identity,
        bindings=bindings,
        requested={
            kind: frozenset(map(str.lower, names)) - COMPUTED_ATTRIBUTES
            for kind, names in request.attributes.items()
        },
        may_hide=not await directory.shows_all_values(),
        scope=CompiledScope(scope, resolved),
        nested_groups=tuple(sorted(nested)),
    )
