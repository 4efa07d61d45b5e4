"""The domain, and the OUs and groups that a scope names: which they are, and where.

They were bound to objectGUIDs when they were first read. One that was renamed or moved
since is still the same; another object in its place is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cloudforest.agent.answer.reach.forest import Forest, Homes
from cloudforest.base.errors import Refused, Rejected, Unavailable
from cloudforest.model.messages import SyncRequest


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
