"""A request, bound to the directory as it is now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cloudforest.agent.answer import records
from cloudforest.agent.answer.records import Asked
from cloudforest.base.errors import Refused, Rejected
from cloudforest.model.messages import Lookup, Record, SyncRequest
from cloudforest.model.ports import Directory, Entry
from cloudforest.model.program import ObjectType
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.scoping.scope import ResolvedScope, compile_scope

ORDER: tuple[ObjectType, ...] = ("contact", "user", "group")


@dataclass(frozen=True)
class Question:
    """`clause` says what keeps an object out of scope; None: nothing does."""

    request: SyncRequest
    directory: Directory
    identity: str
    bindings: dict[str, str]
    asked: Asked
    clause: Callable[[Entry], str | None]

    def records(self, entry: Entry) -> Iterator[Record]:
        clause = None if entry.deleted else self.clause(entry)
        explain = self.request.kind == "read"
        return records.of_entry(entry, self.asked, clause, explain=explain)

    def to_read(self, kind: ObjectType) -> list[str]:
        return records.to_read(self.asked, kind, self.request.scope)


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


async def _bindings(request: SyncRequest, directory: Directory) -> dict[str, str]:
    scope = request.scope
    wanted = [*(scope.organizational_units or ()), *scope.groups]
    found = await directory.resolve(wanted) if wanted else {}
    missing = [dn for dn in wanted if dn not in found]
    if missing:
        raise Rejected(
            f"The scope names {' and '.join(missing)}, which {request.domain} does not "
            "have or does not show to this account. Correct the scope, or the rights."
        )
    return found


async def _resolved(
    request: SyncRequest, directory: Directory, bindings: Mapping[str, str]
) -> ResolvedScope:
    scope = request.scope
    members: set[str] = set()
    for group in scope.groups:
        members |= await directory.members(group, nested=scope.nested_groups)
    return ResolvedScope(
        groups=frozenset(bindings[group] for group in scope.groups),
        members=frozenset(members),
    )


async def bind(request: SyncRequest, directory: Directory) -> Question:
    """Resolve the scope, and compile it.

    Raises Refused for an attribute that holds secrets, Rejected when an OU or a group
    of the scope is not there: half a scope would look like people who have left.
    """
    _refuse_secrets(request)
    bindings = await _bindings(request, directory)
    resolved = await _resolved(request, directory, bindings)
    return Question(
        request=request,
        directory=directory,
        identity=await directory.identify(),
        bindings=bindings,
        asked=records.asked_of(request.attributes),
        clause=compile_scope(request.scope, resolved),
    )
