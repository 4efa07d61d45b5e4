"""Searches that are not DirSync: paged, with references as GUIDs, deleted included."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from cloudforest.adapters.directory_entries import DirectoryEntry
from cloudforest.adapters.ldap import dirsync, filters
from cloudforest.adapters.ldap.ber import (
    PAGED,
    Control,
    SearchResultDone,
    SearchResultEntry,
    decode_paged_cookie,
    extended_dn_control,
    paged_control,
    show_deleted_control,
)
from cloudforest.adapters.ldap.session import (
    BASE,
    INSUFFICIENT_RIGHTS,
    SUBTREE,
    Session,
    make_search_error,
)
from cloudforest.base.errors import Misconfigured, Rejected, Unavailable
from cloudforest.model.messages import Lookup
from cloudforest.model.program import ObjectType
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn

PAGE_SIZE = 500
"""Below the 1,000 that a controller allows by default (MaxPageSize)."""
LOOKUPS_PER_QUERY = 100
_NO_SUCH_OBJECT = 32


def require_success(
    search: Generator[SearchResultEntry, None, SearchResultDone], session: Session
) -> Generator[SearchResultEntry, None, SearchResultDone]:
    """Yield what is found; raise unless it was all, or the base is not there."""
    ending = yield from search
    if not ending.is_success and ending.code != _NO_SUCH_OBJECT:
        raise make_search_error(
            session.controller,
            session.account,
            code=ending.code,
            message=ending.message,
        )
    return ending


def read_object(
    session: Session, dn: str, attributes: Sequence[str]
) -> dict[str, list[bytes]] | None:
    search = session.search(
        dn,
        BASE,
        filter="(objectClass=*)",
        attributes=attributes,
        controls=[extended_dn_control()] if dn else (),
    )
    entries = list(require_success(search, session))
    return entries[0].attributes if entries else None


def read_domain_head(session: Session, base: str) -> str:
    """Return the objectGUID of the domain's head.

    Raises Misconfigured when the controller serves another domain.
    """
    root = read_object(session, "", ["defaultNamingContext"])
    contexts = (root or {}).get("defaultnamingcontext") or [b"no domain"]
    served = contexts[0].decode(errors="replace")
    if served.lower() != base.lower():
        raise Misconfigured(
            f"The controller {session.controller} serves {served}, not {base}. Name "
            "controllers of the domain that they are listed under."
        )
    entry = read_object(session, base, ["objectGUID"])
    if entry is None or "objectguid" not in entry:
        raise make_search_error(
            session.controller,
            session.account,
            code=INSUFFICIENT_RIGHTS,
            message="the domain's head can't be read",
        )
    return dirsync.entry_from_search(SearchResultEntry(base, entry))[0].attributes[
        "objectguid"
    ][0]


def search_subtree(
    session: Session,
    base: str,
    *,
    filter: str,  # noqa: A002 - LDAP's own word
    attributes: Sequence[str],
    deleted: bool = False,
) -> Iterator[SearchResultEntry]:
    """Yield every match below the base, page by page."""
    cookie = b""
    fixed: list[Control] = [
        extended_dn_control(),
        *([show_deleted_control()] if deleted else []),
    ]
    while True:
        search = session.search(
            base,
            SUBTREE,
            filter=filter,
            attributes=attributes,
            controls=[*fixed, paged_control(PAGE_SIZE, cookie)],
        )
        ending = yield from require_success(search, session)
        cookie = (
            decode_paged_cookie(ending.controls[PAGED])
            if PAGED in ending.controls
            else b""
        )
        if not cookie:
            return


def _complete_members(
    session: Session, group: DirectoryEntry, rest: int | None
) -> DirectoryEntry:
    """Return a group with the members beyond the 1,500 that a controller sends."""
    members, names = [*group.members], [*group.member_dns]
    guid = group.attributes["objectguid"][0]
    while rest is not None:
        part = read_object(session, f"<GUID={guid}>", [f"member;range={rest}-*"])
        if part is None:
            # Those that are missing would look like members who left.
            raise Unavailable(
                f"{group.dn} was there no more while its members were read; the next "
                "cycle reads it again."
            )
        more, rest = dirsync.entry_from_search(SearchResultEntry(group.dn, part))
        members += more.members
        names += more.member_dns
    return replace(group, members=tuple(members), member_dns=tuple(names))


def _read_whole_entries(
    session: Session, read: Iterator[SearchResultEntry]
) -> Iterator[DirectoryEntry]:
    unfinished = []
    for raw in read:
        thing, rest = dirsync.entry_from_search(raw)
        if rest is None:
            yield thing
        else:
            unfinished.append((thing, rest))
    # One conversation at a time: the search above had to end first.
    for thing, rest in unfinished:
        yield _complete_members(session, thing, rest)


def read_objects(
    session: Session,
    base: str,
    *,
    lookups: Sequence[Lookup],
    attributes: Sequence[str],
    kind: ObjectType | None = None,
) -> Generator[DirectoryEntry, None, None]:
    """Yield the objects named, batch by batch, each with all its members."""
    for start in range(0, len(lookups), LOOKUPS_PER_QUERY):
        wanted = filters.lookups_filter(lookups[start : start + LOOKUPS_PER_QUERY])
        if wanted is None:
            continue
        if kind is not None:
            wanted = filters.kind_filter(kind, wanted)
        read = search_subtree(
            session, base, filter=wanted, attributes=attributes, deleted=True
        )
        yield from _read_whole_entries(session, read)


def search_below(
    session: Session,
    container: str,
    *,
    filter: str,  # noqa: A002 - LDAP's own word
    attributes: Sequence[str],
) -> Generator[DirectoryEntry, None, None]:
    """Yield every match in the subtree of the object with this objectGUID."""
    base = f"<GUID={container}>"
    read = search_subtree(session, base, filter=filter, attributes=attributes)
    yield from _read_whole_entries(session, read)


def _dn_key(dn: str) -> tuple[str, ...]:
    try:
        return parse_dn(dn)
    except SyntaxFault as error:
        raise Rejected(f"{dn!r} is not a distinguished name. {error}") from error


def resolve_dns(session: Session, base: str, dns: Sequence[str]) -> dict[str, str]:
    """Return the objectGUIDs of the DNs that exist, keyed by the DNs as given."""
    lookups = [Lookup(by="dn", value=dn) for dn in dns]
    read = read_objects(session, base, lookups=lookups, attributes=["objectGUID"])
    seen = {_dn_key(each.dn): each.attributes["objectguid"][0] for each in read}
    return {dn: seen[_dn_key(dn)] for dn in dns if _dn_key(dn) in seen}
