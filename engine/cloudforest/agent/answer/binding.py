"""The domain, and the OUs and groups that a scope names: which they are, and where.

They were bound to objectGUIDs when they were first read. One that was renamed or moved
since is still the same; another object in its place is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cloudforest.base.errors import Refused, Rejected, Unavailable
from cloudforest.model.messages import Lookup, SyncRequest
from cloudforest.model.ports import Directory


@dataclass(frozen=True)
class Bound:
    """objectGUIDs and DNs as they are now, both keyed by the DN as it was written."""

    guids: Mapping[str, str]
    names: Mapping[str, str]


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


def _refuse_others(request: SyncRequest, found: Mapping[str, str]) -> None:
    for dn, guid in found.items():
        if request.bindings.get(dn, guid) != guid:
            raise Refused(
                f"{dn} now resolves to another object than the one that the scope was "
                f"bound to; if that is meant, `cloudforest job restart {request.job} "
                "--reset Full` accepts it."
            )


def _refuse_missing(request: SyncRequest, missing: Collection[str]) -> None:
    if missing:
        raise Rejected(
            f"The scope names {' and '.join(missing)}, which {request.domain} does not "
            "have or does not show to this account. Correct the scope, or the rights."
        )


async def _names_now(directory: Directory, guids: Iterable[str]) -> dict[str, str]:
    lookups = [Lookup(by="guid", value=guid) for guid in guids]
    if not lookups:
        return {}
    found = directory.read(lookups, ())
    return {each.guid: each.dn async for each in found if not each.deleted}


async def bound(request: SyncRequest, directory: Directory) -> Bound:
    """Raise Refused where a name has passed to another object, Rejected where none is.

    Half a scope would look like people who have left.
    """
    scope = request.scope
    wanted = [*scope.places, *scope.groups]
    found = await directory.resolve(wanted) if wanted else {}
    _refuse_others(request, found)
    held = {dn: guid for dn, guid in request.bindings.items() if dn not in found}
    away = {dn: held[dn] for dn in wanted if dn in held}
    now = await _names_now(directory, away.values())
    elsewhere = {dn: guid for dn, guid in away.items() if guid in now}
    guids = {**found, **elsewhere}
    _refuse_missing(request, [dn for dn in wanted if dn not in guids])
    names = {dn: now[guid] for dn, guid in elsewhere.items()}
    return Bound(guids, {**{dn: dn for dn in found}, **names})


async def require_unmoved(
    request: SyncRequest, directory: Directory, it: Bound
) -> None:
    """Raise Unavailable when one was moved while the domain was read.

    Those below it would have been judged by where it was before, as if they had left.
    """
    expected = {it.names[dn]: guid for dn, guid in it.guids.items()}
    if expected and await directory.resolve(tuple(expected)) != expected:
        raise Unavailable(
            f"An organizational unit or a group that the scope of {request.job} names "
            f"was moved or renamed while {request.domain} was read; the next cycle "
            "reads again."
        )
