"""Paged LDAP searches other than DirSync, and reads of named objects."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from cloudforest.adapters.directory_entries import DirectoryEntry, decode_value
from cloudforest.adapters.ldap import dirsync, filters
from cloudforest.adapters.ldap.ber import (
    EXTENDED_DN,
    PAGED,
    SHOW_DELETED,
    Control,
    SearchResultDone,
    SearchResultEntry,
    decode_paged_cookie,
    paged_control,
)
from cloudforest.adapters.ldap.session import (
    BASE,
    INSUFFICIENT_RIGHTS,
    SUBTREE,
    SUCCESS,
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
T = TypeVar("T")


def in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the items in parts that one filter can name."""
    for start in range(0, len(items), LOOKUPS_PER_QUERY):
        yield items[start : start + LOOKUPS_PER_QUERY]


def search_entries(
    session: Session,
    base: str,
    scope: str,
    *,
    filter: str = "(objectClass=*)",  # noqa: A002 - LDAP's own word
    attributes: Sequence[str],
    controls: Sequence[Control] = (),
) -> Generator[SearchResultEntry, None, SearchResultDone]:
    """Yield the entries, none if the base does not exist; raise if the search fails."""
    ending = yield from session.search(
        base, scope, filter=filter, attributes=attributes, controls=controls
    )
    if ending.code not in {SUCCESS, _NO_SUCH_OBJECT}:
        raise make_search_error(session, ending)
    return ending


def read_object(
    session: Session, dn: str, attributes: Sequence[str]
) -> dict[str, list[bytes]] | None:
    controls = [EXTENDED_DN] if dn else []
    entries = list(
        search_entries(session, dn, BASE, attributes=attributes, controls=controls)
    )
    return entries[0].attributes if entries else None


def read_domain_head(session: Session, base: str) -> str:
    """Return the objectGUID of the domain's head.

    Raises Misconfigured if the controller serves another domain.
    """
    root = read_object(session, "", ["defaultNamingContext"])
    contexts = (root or {}).get("defaultnamingcontext") or [b"no domain"]
    served = contexts[0].decode(errors="replace")
    if served.lower() != base.lower():
        raise Misconfigured(
            f"The controller {session.controller} serves {served}, not {base}. List "
            "only controllers of the domain itself."
        )
    entry = read_object(session, base, ["objectGUID"])
    if entry is None or "objectguid" not in entry:
        raise make_search_error(
            session,
            SearchResultDone(INSUFFICIENT_RIGHTS, "the domain's head cannot be read"),
        )
    return decode_value("objectguid", entry["objectguid"][0])


def _search_pages(
    session: Session,
    base: str,
    filter_text: str,
    attributes: Sequence[str],
    controls: Sequence[Control],
) -> Iterator[SearchResultEntry]:
    cookie = b""
    while True:
        ending = yield from search_entries(
            session,
            base,
            SUBTREE,
            filter=filter_text,
            attributes=attributes,
            controls=[*controls, paged_control(PAGE_SIZE, cookie)],
        )
        reply = ending.controls.get(PAGED)
        cookie = decode_paged_cookie(reply) if reply is not None else b""
        if not cookie:
            return


def _complete_members(
    session: Session, group: DirectoryEntry, next_member: int | None
) -> DirectoryEntry:
    """Return a group with the members beyond the 1,500 that a controller sends."""
    members, dns = [*group.members], [*group.member_dns]
    guid = group.attributes["objectguid"][0]
    while next_member is not None:
        part = read_object(session, f"<GUID={guid}>", [f"member;range={next_member}-*"])
        if part is None:
            # The missing members would look as if they had left the group.
            raise Unavailable(
                f"The group {group.dn} disappeared while its members were read. The "
                "next cycle reads it again."
            )
        more, next_member = dirsync.entry_from_search(SearchResultEntry(group.dn, part))
        members += more.members
        dns += more.member_dns
    return replace(group, members=tuple(members), member_dns=tuple(dns))


def search_subtree(
    session: Session,
    base: str,
    *,
    filter: str,  # noqa: A002 - LDAP's own word
    attributes: Sequence[str],
    deleted: bool = False,
) -> Generator[DirectoryEntry, None, None]:
    """Yield every match below the base, page by page, each with all its members."""
    controls = [EXTENDED_DN, SHOW_DELETED] if deleted else [EXTENDED_DN]
    unfinished = []
    for raw in _search_pages(session, base, filter, attributes, controls):
        entry, next_member = dirsync.entry_from_search(raw)
        if next_member is None:
            yield entry
        else:
            unfinished.append((entry, next_member))
    # A session does one search at a time: the one above must end first.
    for entry, next_member in unfinished:
        yield _complete_members(session, entry, next_member)


def read_objects(
    session: Session,
    base: str,
    *,
    lookups: Sequence[Lookup],
    attributes: Sequence[str],
    kind: ObjectType | None = None,
) -> Generator[DirectoryEntry, None, None]:
    """Yield the named objects, deleted ones included, each with all its members."""
    for batch in in_batches(lookups):
        filter_text = filters.lookups_filter(batch)
        if filter_text is None:
            continue
        if kind is not None:
            filter_text = filters.kind_filter(kind, filter_text)
        yield from search_subtree(
            session, base, filter=filter_text, attributes=attributes, deleted=True
        )


def _dn_key(dn: str) -> tuple[str, ...]:
    try:
        return parse_dn(dn)
    except SyntaxFault as error:
        raise Rejected(f'"{dn}" is not a distinguished name. {error}') from error


def resolve_dns(session: Session, base: str, dns: Sequence[str]) -> dict[str, str]:
    """Return the objectGUIDs of the DNs that exist, keyed by the DNs as given."""
    lookups = [Lookup(by="dn", value=dn) for dn in dns]
    entries = read_objects(session, base, lookups=lookups, attributes=["objectGUID"])
    guids = {_dn_key(each.dn): each.attributes["objectguid"][0] for each in entries}
    return {dn: guids[_dn_key(dn)] for dn in dns if _dn_key(dn) in guids}
