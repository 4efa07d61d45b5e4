"""Searches that are not DirSync: paged, with references as GUIDs, deleted included."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from cloudforest.adapters.directory_entries import Found
from cloudforest.adapters.ldap import dirsync, filters
from cloudforest.adapters.ldap.ber import (
    PAGED,
    Control,
    Ending,
    Raw,
    extended_dn,
    paged,
    paged_cookie,
    show_deleted,
)
from cloudforest.adapters.ldap.session import (
    BASE,
    INSUFFICIENT_RIGHTS,
    SUBTREE,
    Session,
    refused_search,
)
from cloudforest.base.errors import Misconfigured, Rejected, Unavailable
from cloudforest.model.messages import Lookup
from cloudforest.model.program import ObjectType
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn

PAGE = 500
"""Below the 1,000 that a controller allows by default (MaxPageSize)."""
LOOKUPS = 100
_NO_SUCH_OBJECT = 32


def checked(
    search: Generator[Raw, None, Ending], session: Session
) -> Generator[Raw, None, Ending]:
    """Yield what is found; raise unless it was all, or the base is not there."""
    ending = yield from search
    if not ending.succeeded and ending.code != _NO_SUCH_OBJECT:
        raise refused_search(
            session.controller,
            session.account,
            code=ending.code,
            message=ending.message,
        )
    return ending


def one(
    session: Session, dn: str, attributes: Sequence[str]
) -> dict[str, list[bytes]] | None:
    search = session.search(
        dn,
        BASE,
        filter="(objectClass=*)",
        attributes=attributes,
        controls=[extended_dn()] if dn else (),
    )
    entries = list(checked(search, session))
    return entries[0].attributes if entries else None


def head(session: Session, base: str) -> str:
    """Return the objectGUID of the domain's head.

    Raises Misconfigured when the controller serves another domain.
    """
    root = one(session, "", ["defaultNamingContext"])
    contexts = (root or {}).get("defaultnamingcontext") or [b"no domain"]
    served = contexts[0].decode(errors="replace")
    if served.lower() != base.lower():
        raise Misconfigured(
            f"The controller {session.controller} serves {served}, not {base}. Name "
            "controllers of the domain that they are listed under."
        )
    entry = one(session, base, ["objectGUID"])
    if entry is None or "objectguid" not in entry:
        raise refused_search(
            session.controller,
            session.account,
            code=INSUFFICIENT_RIGHTS,
            message="the domain's head can't be read",
        )
    return dirsync.from_search(Raw(base, entry))[0].attributes["objectguid"][0]


def subtree(
    session: Session,
    base: str,
    *,
    filter: str,  # noqa: A002 - LDAP's own word
    attributes: Sequence[str],
    deleted: bool = False,
) -> Iterator[Raw]:
    """Yield every match below the base, page by page."""
    cookie = b""
    fixed: list[Control] = [extended_dn(), *([show_deleted()] if deleted else [])]
    while True:
        search = session.search(
            base,
            SUBTREE,
            filter=filter,
            attributes=attributes,
            controls=[*fixed, paged(PAGE, cookie)],
        )
        ending = yield from checked(search, session)
        cookie = (
            paged_cookie(ending.controls[PAGED]) if PAGED in ending.controls else b""
        )
        if not cookie:
            return


def _completed(session: Session, thing: Found, rest: int | None) -> Found:
    """Return a group with the members beyond the 1,500 that a controller sends."""
    members, names = [*thing.members], [*thing.member_names]
    guid = thing.attributes["objectguid"][0]
    while rest is not None:
        part = one(session, f"<GUID={guid}>", [f"member;range={rest}-*"])
        if part is None:
            # Those that are missing would look like members who left.
            raise Unavailable(
                f"{thing.dn} was there no more while its members were read; the next "
                "cycle reads it again."
            )
        more, rest = dirsync.from_search(Raw(thing.dn, part))
        members += more.members
        names += more.member_names
    return replace(thing, members=tuple(members), member_names=tuple(names))


def _whole(session: Session, read: Iterator[Raw]) -> Iterator[Found]:
    unfinished = []
    for raw in read:
        thing, rest = dirsync.from_search(raw)
        if rest is None:
            yield thing
        else:
            unfinished.append((thing, rest))
    # One conversation at a time: the search above had to end first.
    for thing, rest in unfinished:
        yield _completed(session, thing, rest)


def objects(
    session: Session,
    base: str,
    *,
    lookups: Sequence[Lookup],
    attributes: Sequence[str],
    kind: ObjectType | None = None,
) -> Generator[Found, None, None]:
    """Yield the objects named, batch by batch, each with all its members."""
    for start in range(0, len(lookups), LOOKUPS):
        wanted = filters.any_of(lookups[start : start + LOOKUPS])
        if wanted is None:
            continue
        if kind is not None:
            wanted = filters.of_kind(kind, wanted)
        read = subtree(
            session, base, filter=wanted, attributes=attributes, deleted=True
        )
        yield from _whole(session, read)


def below(
    session: Session,
    container: str,
    *,
    filter: str,  # noqa: A002 - LDAP's own word
    attributes: Sequence[str],
) -> Generator[Found, None, None]:
    """Yield every match in the subtree of the object with this objectGUID."""
    base = f"<GUID={container}>"
    read = subtree(session, base, filter=filter, attributes=attributes)
    yield from _whole(session, read)


def _key(dn: str) -> tuple[str, ...]:
    try:
        return parse_dn(dn)
    except SyntaxFault as error:
        raise Rejected(f"{dn!r} is not a distinguished name. {error}") from error


def guids(session: Session, base: str, dns: Sequence[str]) -> dict[str, str]:
    """Return the objectGUIDs of the DNs that exist, keyed by the DNs as given."""
    lookups = [Lookup(by="dn", value=dn) for dn in dns]
    read = objects(session, base, lookups=lookups, attributes=["objectGUID"])
    seen = {_key(each.dn): each.attributes["objectguid"][0] for each in read}
    return {dn: seen[_key(dn)] for dn in dns if _key(dn) in seen}
