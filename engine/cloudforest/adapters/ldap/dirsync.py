"""The DirSync conversation: what changed since a cookie, page after page.

How a received entry becomes text: extended DNs, link changes, ranges.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import structlog

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import DirectoryEntry
from cloudforest.adapters.ldap.ber import (
    DIRSYNC,
    INCREMENTAL_VALUES,
    OBJECT_SECURITY,
    SearchResultDone,
    SearchResultEntry,
    decode_dirsync_reply,
    dirsync_control,
    extended_dn_control,
)
from cloudforest.adapters.ldap.session import (
    INSUFFICIENT_RIGHTS,
    SUBTREE,
    Session,
    make_search_error,
)

_MEMBER = "member"
_ADDED, _REMOVED = ";range=1-1", ";range=0-0"
# [MS-ADTS] 3.1.1.3.1.3.3: the last part of the values is marked by a star.
_RANGE = re.compile(r"(.+);range=(\d+)-(\d+|\*)")


def _decode_values(name: str, received: Sequence[bytes]) -> tuple[str, ...]:
    texts = (
        directory_entries.to_reference(name, directory_entries.decode_value(name, each))
        for each in received
    )
    return tuple(each for each in texts if each is not None)


def _decode_members(received: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Yield the objectGUIDs of members, and their DNs."""
    for each in received:
        value = directory_entries.decode_value(_MEMBER, each)
        if (guid := directory_entries.to_reference(_MEMBER, value)) is not None:
            yield guid, directory_entries.split_extended_dn(value)[1]


def entry_from_dirsync(raw: SearchResultEntry, *, full: bool) -> DirectoryEntry:
    """With incremental values, range 1-1 holds links added and 0-0 links removed.

    A full read lists links removed long ago as well; those say nothing.
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
        attributes.setdefault(name, ())  # A link without a successor was cleared.
    return DirectoryEntry(
        dn=directory_entries.split_extended_dn(raw.dn)[1],
        attributes=attributes,
        members=attributes.pop(_MEMBER, ()),
        former_members=() if full else former,
        partial=not full,
    )


def entry_from_search(raw: SearchResultEntry) -> tuple[DirectoryEntry, int | None]:
    """Return the object, and from where on members are missing: AD sends 1,500."""
    attributes: dict[str, tuple[str, ...]] = {}
    links: list[tuple[str, str]] = []
    rest: int | None = None
    for name, received in raw.attributes.items():
        ranged = _RANGE.fullmatch(name)
        plain = ranged[1] if ranged else name
        # AD sends the attribute twice, empty and with a range.
        if plain == _MEMBER:
            links += _decode_members(received)
        else:
            attributes[plain] = attributes.get(plain, ()) + _decode_values(
                plain, received
            )
        if ranged and ranged[3] != "*" and plain == _MEMBER:
            rest = int(ranged[3]) + 1
    thing = DirectoryEntry(
        dn=directory_entries.split_extended_dn(raw.dn)[1],
        attributes=attributes,
        members=tuple(guid for guid, _ in links),
        member_dns=tuple(name for _, name in links),
    )
    return thing, rest


_BAD_COOKIE = 12
_log = structlog.get_logger()


@dataclass
class DirSyncRead:
    """What to ask, and how far it got: `cookie` is the end when the reader is done.

    A full read asks for `filter_in_full`. A delta never does: the controller judges
    objects as they are now, so who has just left it would be left out in silence.
    """

    base: str
    filter: str
    full_filter: str
    attributes: Sequence[str]
    cookie: bytes
    flags: int = INCREMENTAL_VALUES
    has_more: bool = True

    def __post_init__(self) -> None:
        self.full = not self.cookie

    @property
    def has_replication_right(self) -> bool:
        return not self.flags & OBJECT_SECURITY

    def restart(self) -> None:
        self.cookie, self.full = b"", True


def _read_page(
    session: Session, state: DirSyncRead
) -> Generator[DirectoryEntry, None, SearchResultDone]:
    search = session.search(
        state.base,
        SUBTREE,
        filter=state.full_filter if state.full else state.filter,
        attributes=state.attributes,
        # Without the second one Samba sends plain DNs, which need a look-up each.
        controls=[dirsync_control(state.flags, state.cookie), extended_dn_control()],
    )
    while True:
        try:
            raw: SearchResultEntry = next(search)
        except StopIteration as stop:
            ending: SearchResultDone = stop.value
            return ending
        yield entry_from_dirsync(raw, full=state.full)


def _lacks_replication_right(ending: SearchResultDone, state: DirSyncRead) -> bool:
    return ending.code == INSUFFICIENT_RIGHTS and state.has_replication_right


def read_changes(
    session: Session, state: DirSyncRead
) -> Generator[DirectoryEntry, None, None]:
    """Yield objects as they arrive, until the controller says that there are no more.

    A cookie that the controller can't read starts a full read. An account without
    Replicating Directory Changes reads with OBJECT_SECURITY: what it may see.
    """
    while state.has_more:
        ending = yield from _read_page(session, state)
        if ending.is_success and DIRSYNC in ending.controls:
            state.has_more, state.cookie = decode_dirsync_reply(
                ending.controls[DIRSYNC]
            )
        elif ending.code == _BAD_COOKIE and state.cookie:
            _log.warning(
                "cookie refused, reading in full", controller=session.controller
            )
            state.restart()
        elif _lacks_replication_right(ending, state):
            _log.warning(
                "account lacks Replicating Directory Changes, reading what it may see",
                controller=session.controller,
                account=session.account,
            )
            state.flags |= OBJECT_SECURITY
        else:
            raise make_search_error(
                session.controller,
                session.account,
                code=ending.code,
                message=ending.message,
            )
