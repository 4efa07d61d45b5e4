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
from cloudforest.agent.records import Asked
from cloudforest.agent.scope_groups import Forest, Group, Homes, Membership, members_of
from cloudforest.base.errors import Refused, Rejected, Unavailable
from cloudforest.model.messages import Lookup, Record, SyncRequest
from cloudforest.model.ports.directory import Directory, Entry
from cloudforest.model.program import Filter, ObjectType
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.scoping.scope import ResolvedScope, Scope


@dataclass(frozen=True)
class Bound:
    """objectGUIDs, DNs as they are now, and domains, keyed by the DN as written."""

    guids: Mapping[str, str]
    names: Mapping[str, str]
    homes: Homes


def refuse_another(request: SyncRequest, identity: str) -> None:
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


class Rebound(Refused):
    """A name of the scope has passed to another object, whichever agent is asked."""


def _refuse_others(request: SyncRequest, found: Mapping[str, str]) -> None:
    for dn, guid in found.items():
        if request.bindings.get(dn, guid) != guid:
            raise Rebound(
                f"{dn} now resolves to another object than the one that the scope was "
                f"bound to; if that is meant, `cloudforest job restart {request.job} "
                "--reset Full` accepts it."
            )


def _refuse_missing(missing: Collection[str], homes: Homes) -> None:
    if missing:
        domains = dict.fromkeys(homes[dn] for dn in missing)
        raise Rejected(
            f"The scope names {' and '.join(missing)}, which {' or '.join(domains)} "
            "does not have or does not show to this account. Correct the scope, or the "
            "rights."
        )


async def bound(request: SyncRequest, forest: Forest) -> Bound:
    """Raise Refused where a name has passed to another object, Rejected where none is.

    Half a scope would look like people who have left.
    """
    homes = forest.homes(request.scope)
    found = await forest.resolve(homes)
    _refuse_others(request, found)
    held = {dn: guid for dn, guid in request.bindings.items() if dn not in found}
    away = {dn: held[dn] for dn in homes if dn in held}
    now = await forest.names(away, homes)
    elsewhere = {dn: guid for dn, guid in away.items() if guid in now}
    guids = {**found, **elsewhere}
    _refuse_missing([dn for dn in homes if dn not in guids], homes)
    names = {dn: now[guid] for dn, guid in elsewhere.items()}
    return Bound(guids, {**{dn: dn for dn in found}, **names}, homes)


async def require_unmoved(request: SyncRequest, forest: Forest, it: Bound) -> None:
    """Raise Unavailable when one was moved while the domain was read.

    Those below it would have been judged by where it was before, as if they had left.
    """
    expected = {it.names[dn]: guid for dn, guid in it.guids.items()}
    homes = {it.names[dn]: domain for dn, domain in it.homes.items()}
    if await forest.resolve(homes) != expected:
        raise Unavailable(
            f"An organizational unit or a group that the scope of {request.job} names "
            f"was moved or renamed while {request.domain} was read; the next cycle "
            "reads again."
        )


ORDER: tuple[ObjectType, ...] = ("contact", "user", "group")

Doubtful = tuple[Entry, frozenset[str]]
"""An object, and what it does not show and may have."""

_NONE = frozenset[str]()


@dataclass(frozen=True)
class Question:
    """What was asked, and who answers it.

    `nested` are the groups through which others are in those of the scope.
    """

    request: SyncRequest
    directory: Directory
    forest: Forest
    identity: str
    bound: Bound
    asked: Asked
    scope: Scope
    nested: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[ObjectType, ...]:
        """The types that the scope maps, in the order in which they are read."""
        return tuple(kind for kind in ORDER if kind in self.request.scope.types)

    @property
    def members(self) -> frozenset[str] | None:
        """Who the scope's groups hold; None: it names no groups."""
        return self.scope.resolved.members if self.request.scope.groups else None

    def records(
        self, entry: Entry, cleared: AbstractSet[str] = frozenset()
    ) -> Iterator[Record]:
        """Yield what may be said; `cleared` attributes are known to have no values."""
        return records.of_entry(entry, self.scope, self.request, self.asked, cleared)

    def missing(self, entry: Entry) -> frozenset[str]:
        """Return what an object in scope does not show of what was asked for."""
        return self.asked.missing(entry) if self.scope.clause(entry) is None else _NONE

    async def proved(
        self, doubtful: Sequence[Doubtful], *, unread: AbstractSet[str] = _NONE
    ) -> AsyncIterator[Record]:
        """Yield objects whose missing attributes may be hidden ones: one question.

        `unread` are those that nobody has read, so that they are not missing.
        """
        if not doubtful:
            return
        names = _NONE.union(*(missing for _, missing in doubtful))
        guids = [each.guid for each, _ in doubtful]
        empty = await self.directory.empty(guids, sorted(names))
        for each, missing in doubtful:
            cleared = missing & empty.get(each.guid, set())
            for record in self.records(each, cleared | unread):
                yield record

    def to_read(self, kind: ObjectType) -> list[str]:
        return records.to_read(self.asked, kind, self.request.scope)

    def where(self, kind: ObjectType) -> Filter | None:
        """Return what must hold of objects of a type, whatever else must."""
        chosen = self.request.scope.filters.get(kind)
        return None if chosen is None else chosen.tree

    async def require_unmoved(self) -> None:
        await require_unmoved(self.request, self.forest, self.bound)


def _by_attribute(lookup: Lookup) -> bool:
    return lookup.by == "attribute" or lookup.attribute is not None


def _refuse_secrets(request: SyncRequest) -> None:
    # To search by an attribute, or to filter by it, betrays its value as well.
    names = [name for each in request.attributes.values() for name in each]
    names += [each.attribute or "" for each in request.lookups if _by_attribute(each)]
    names += [
        name for kind in ORDER for name in records.to_read(Asked(), kind, request.scope)
    ]
    for name in names:
        if not is_name(name):
            raise Refused(
                f"{name!r} is not the name of a directory attribute, and agents read "
                "by name only. Correct the mapping or the filter that holds it."
            )
        if is_forbidden(name):
            raise Refused(
                f"The attribute {name} holds secrets, and agents never read it. Take "
                "it out of the mapping or the filter that names it."
            )


def _known(request: SyncRequest) -> frozenset[str]:
    """Return the nested groups of before, as far as the scope still follows any."""
    return frozenset(request.nested if request.scope.nested_groups else ())


async def _members(
    request: SyncRequest, forest: Forest, it: Bound
) -> dict[str, Membership]:
    nested = request.scope.nested_groups
    groups = [
        Group(it.homes[dn], it.guids[dn], it.names[dn]) for dn in request.scope.groups
    ]
    return {each.guid: await members_of(forest, each, nested=nested) for each in groups}


def _resolved(
    request: SyncRequest, it: Bound, groups: Mapping[str, Membership]
) -> ResolvedScope:
    known = _known(request)
    return ResolvedScope(
        groups={guid: frozenset(each.ids) for guid, each in groups.items()},
        partial=frozenset(
            guid for guid, each in groups.items() if not each.is_whole(known)
        ),
        names=it.names,
    )


def _nested(request: SyncRequest, groups: Mapping[str, Membership]) -> tuple[str, ...]:
    known = _known(request)
    found = (each.followed(known) for each in groups.values())
    return tuple(sorted(frozenset[str]().union(*found)))


async def bind(request: SyncRequest, forest: Forest) -> Question:
    """Resolve the scope, and compile it.

    Raises Refused for an attribute that holds secrets, or another domain than the
    job's, and what `bound` raises.
    """
    _refuse_secrets(request)
    directory = forest.directories[forest.home]
    identity = await directory.identify()
    refuse_another(request, identity)
    it = await bound(request, forest)
    groups = await _members(request, forest, it)
    resolved = _resolved(request, it, groups)
    return Question(
        request=request,
        directory=directory,
        forest=forest,
        identity=identity,
        bound=it,
        asked=records.asked_of(
            request.attributes, hides=not await directory.shows_values()
        ),
        scope=Scope(request.scope, resolved),
        nested=_nested(request, groups),
    )
