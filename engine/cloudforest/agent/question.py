"""A request bound to the current directory: its domain, OUs and groups.

The first import binds the DNs of a scope to objectGUIDs. A renamed or moved object
keeps its binding; another object with the same DN is refused.
"""

from __future__ import annotations

from cloudforest.agent.records import READ_ORDER, BoundRequest, ScopeBindings
from cloudforest.agent.scope_groups import Forest, ScopeGroup, read_members
from cloudforest.base.errors import Refused, Rejected, Unavailable
from cloudforest.model.messages import SyncRequest
from cloudforest.program.attributes_read import COMPUTED_ATTRIBUTES
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
from cloudforest.program.scoping.scope import (
    CompiledScope,
    ResolvedScope,
    needed_attributes,
)


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
