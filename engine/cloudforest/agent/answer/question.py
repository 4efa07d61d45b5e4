"""A request, bound to the directory as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloudforest.agent.answer import records
from cloudforest.agent.answer.binding import Bound, bound, require_unmoved
from cloudforest.agent.answer.records import Asked
from cloudforest.base.errors import Refused
from cloudforest.model.messages import Lookup, Record, SyncRequest
from cloudforest.model.ports import Directory, Entry
from cloudforest.model.program import ObjectType
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.scoping.resolved import ResolvedScope
from cloudforest.program.scoping.scope import Scope

ORDER: tuple[ObjectType, ...] = ("contact", "user", "group")


@dataclass(frozen=True)
class Question:
    """What was asked, and who answers it."""

    request: SyncRequest
    directory: Directory
    identity: str
    bound: Bound
    asked: Asked
    scope: Scope

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

    def to_read(self, kind: ObjectType) -> list[str]:
        return records.to_read(self.asked, kind, self.request.scope)

    async def require_unmoved(self) -> None:
        await require_unmoved(self.request, self.directory, self.bound)


def _by_attribute(lookup: Lookup) -> bool:
    return lookup.by == "attribute" or lookup.attribute is not None


def _refuse_secrets(request: SyncRequest) -> None:
    # To search by an attribute, or to filter by it, betrays its value as well.
    names = [name for each in request.attributes.values() for name in each]
    names += [each.attribute or "" for each in request.lookups if _by_attribute(each)]
    names += [
        name for kind in ORDER for name in records.to_read({}, kind, request.scope)
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


async def _resolved(
    request: SyncRequest, directory: Directory, it: Bound
) -> ResolvedScope:
    scope = request.scope
    units = scope.organizational_units
    groups = {
        it.guids[group]: await directory.members(
            it.names[group], nested=scope.nested_groups
        )
        for group in scope.groups
    }
    return ResolvedScope(
        groups=groups,
        shows_all=await directory.shows_all() if groups else True,
        units=None if units is None else it.named(units),
    )


async def bind(request: SyncRequest, directory: Directory) -> Question:
    """Resolve the scope, and compile it.

    Raises Refused for an attribute that holds secrets, and what `bound` raises.
    """
    _refuse_secrets(request)
    it = await bound(request, directory)
    resolved = await _resolved(request, directory, it)
    return Question(
        request=request,
        directory=directory,
        identity=await directory.identify(),
        bound=it,
        asked=records.asked_of(request.attributes),
        scope=Scope(request.scope, resolved),
    )
