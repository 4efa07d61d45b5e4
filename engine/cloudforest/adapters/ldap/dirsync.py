"""Read changes since a cookie with DirSync, and convert received entries to text."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import structlog

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import DirectoryEntry
from cloudforest.adapters.ldap.ber import (
    DIRSYNC,
    EXTENDED_DN,
    INCREMENTAL_VALUES,
    OBJECT_SECURITY,
    SearchResultDone,
    SearchResultEntry,
    decode_dirsync_reply,
    dirsync_control,
)
from cloudforest.adapters.ldap.session import (
    INSUFFICIENT_RIGHTS,
    SUBTREE,
    SUCCESS,
    Session,
    make_search_error,
)

_MEMBER = "member"
_ADDED, _REMOVED = ";range=1-1", ";range=0-0"
# [MS-ADTS] 3.1.1.3.1.3.3: a star marks the last range of the values.
_RANGE = re.compile(r"(.+);range=(\d+)-(\d+|\*)")

_BAD_COOKIE = 12
_log = structlog.get_logger()


def _decode_values(name: str, received: Sequence[bytes]) -> tuple[str, ...]:
    texts = (
        directory_entries.to_reference(name, directory_entries.decode_value(name, each))
        for each in received
    )
    return tuple(each for each in texts if each is not None)


def entry_from_dirsync(raw: SearchResultEntry, *, full: bool) -> DirectoryEntry:
    """Return the object; range 1-1 holds the links added, and 0-0 the links removed.

    A full read also lists links that were removed long ago; those are ignored.
    """
    attributes: dict[str, tuple[str, ...]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    for name, received in raw.attributes.items():
        if name.endswith(_REMOVED):
            plain = name.removesuffix(_REMOVED)
            removed[plain] = _decode_values(plain, received)
        else:
            plain = name.removesuffix(_ADDED)
            attributes[plain] = _decode_values(plain, received)
    former = removed.pop(_MEMBER, ())
    for name in () if full else removed:
        # A link that was removed and not replaced is cleared.
        attributes.setdefault(name, ())
    return DirectoryEntry(
        dn=directory_entries.split_extended_dn(raw.dn)[1],
        attributes=attributes,
        members=attributes.pop(_MEMBER, ()),
        former_members=() if full else former,
        partial=not full,
    )


def entry_from_search(raw: SearchResultEntry) -> tuple[DirectoryEntry, int | None]:
    """Return the object, and the index of the first missing member, if any are.

    AD sends 1,500 members at once.
    """
    attributes: dict[str, tuple[str, ...]] = {}
    links: list[tuple[str, str]] = []
    next_member: int | None = None
    for name, received in raw.attributes.items():
        ranged = _RANGE.fullmatch(name)
        plain = ranged[1] if ranged else name
        # AD sends the attribute twice, empty and with a range.
        if plain == _MEMBER:
            values = (
                directory_entries.decode_value(_MEMBER, each) for each in received
            )
            links += [
                (guid, directory_entries.split_extended_dn(value)[1])
                for value in values
                if (guid := directory_entries.to_reference(_MEMBER, value)) is not None
            ]
        else:
            attributes[plain] = attributes.get(plain, ()) + _decode_values(
                plain, received
            )
        if ranged and ranged[3] != "*" and plain == _MEMBER:
            next_member = int(ranged[3]) + 1
    entry = DirectoryEntry(
        dn=directory_entries.split_extended_dn(raw.dn)[1],
        attributes=attributes,
        members=tuple(guid for guid, _ in links),
        member_dns=tuple(name for _, name in links),
    )
    return entry, next_member


@dataclass
class DirSyncRead:
    """The request and its progress; at the end `cookie` is where the next one starts.

    A full read uses `full_filter`. A delta must not: the controller tests objects as
    they are now, so it would silently leave out those that no longer match.
    """

    base: str
    filter: str
    full_filter: str
    attributes: Sequence[str]
    cookie: bytes
    flags: int = INCREMENTAL_VALUES

    def __post_init__(self) -> None:
        self.full = not self.cookie

    @property
    def has_replication_right(self) -> bool:
        return not self.flags & OBJECT_SECURITY


def _read_page(
    session: Session, state: DirSyncRead
) -> Generator[DirectoryEntry, None, SearchResultDone]:
    """Yield the objects of one answer, and return its end."""
    search = session.search(
        state.base,
        SUBTREE,
        filter=state.full_filter if state.full else state.filter,
        attributes=state.attributes,
        # Without the second control Samba sends plain DNs; each would need a look-up.
        controls=[dirsync_control(state.flags, state.cookie), EXTENDED_DN],
    )
    while True:
        try:
            raw = next(search)
        except StopIteration as stop:
            ending: SearchResultDone = stop.value
            return ending
        yield entry_from_dirsync(raw, full=state.full)


def read_changes(
    session: Session, state: DirSyncRead
) -> Generator[DirectoryEntry, None, None]:
    """Yield objects as they arrive, until the controller has no more.

    If the controller rejects the cookie, a full read starts. An account without
    Replicating Directory Changes reads with OBJECT_SECURITY: only what it may see.
    """
    has_more = True
    while has_more:
        ending = yield from _read_page(session, state)
        if ending.code == SUCCESS and DIRSYNC in ending.controls:
            reply = ending.controls[DIRSYNC]
            has_more, state.cookie = decode_dirsync_reply(reply)
        elif ending.code == _BAD_COOKIE and state.cookie:
            _log.warning(
                "cookie refused, reading in full", controller=session.controller
            )
            state.cookie, state.full = b"", True
        elif ending.code == INSUFFICIENT_RIGHTS and state.has_replication_right:
            _log.warning(
                "account lacks Replicating Directory Changes, reading what it may see",
                controller=session.controller,
                account=session.account,
            )
            state.flags |= OBJECT_SECURITY
        else:
            raise make_search_error(session, ending)
