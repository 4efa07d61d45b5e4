"""The DirSync conversation: what changed since a cookie, page after page.

How a received entry becomes text: extended DNs, link changes, ranges.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import structlog

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import Found
from cloudforest.adapters.ldap.ber import (
    DIRSYNC,
    INCREMENTAL_VALUES,
    OBJECT_SECURITY,
    Ending,
    Raw,
    dirsync,
    dirsync_reply,
    extended_dn,
)
from cloudforest.adapters.ldap.session import (
    INSUFFICIENT_RIGHTS,
    SUBTREE,
    Session,
    refused_search,
)

_MEMBER = "member"
_ADDED, _REMOVED = ";range=1-1", ";range=0-0"
# [MS-ADTS] 3.1.1.3.1.3.3: the last part of the values is marked by a star.
_RANGE = re.compile(r"(.+);range=(\d+)-(\d+|\*)")


def _texts(name: str, received: Sequence[bytes]) -> tuple[str, ...]:
    texts = (
        directory_entries.reference(name, directory_entries.text(name, each))
        for each in received
    )
    return tuple(each for each in texts if each is not None)


def _links(received: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Yield the objectGUIDs of members, and their DNs."""
    for each in received:
        value = directory_entries.text(_MEMBER, each)
        if (guid := directory_entries.reference(_MEMBER, value)) is not None:
            yield guid, directory_entries.split_extended(value)[1]


def from_dirsync(raw: Raw, *, full: bool) -> Found:
    """With incremental values, range 1-1 holds links added and 0-0 links removed.

    A full read lists links removed long ago as well; those say nothing.
    """
    attributes: dict[str, tuple[str, ...]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    for name, received in raw.attributes.items():
        if name.endswith(_REMOVED):
            plain = name.removesuffix(_REMOVED)
            removed[plain] = _texts(plain, received)
        else:
            plain = name.removesuffix(_ADDED)
            attributes[plain] = _texts(plain, received)
    former = removed.pop(_MEMBER, ())
    for name in () if full else removed:
        attributes.setdefault(name, ())  # A link without a successor was cleared.
    return Found(
        dn=directory_entries.split_extended(raw.dn)[1],
        attributes=attributes,
        members=attributes.pop(_MEMBER, ()),
        former_members=() if full else former,
        partial=not full,
    )


def from_search(raw: Raw) -> tuple[Found, int | None]:
    """Return the object, and from where on members are missing: AD sends 1,500."""
    attributes: dict[str, tuple[str, ...]] = {}
    links: list[tuple[str, str]] = []
    rest: int | None = None
    for name, received in raw.attributes.items():
        ranged = _RANGE.fullmatch(name)
        plain = ranged[1] if ranged else name
        # AD sends the attribute twice, empty and with a range.
        if plain == _MEMBER:
            links += _links(received)
        else:
            attributes[plain] = attributes.get(plain, ()) + _texts(plain, received)
        if ranged and ranged[3] != "*" and plain == _MEMBER:
            rest = int(ranged[3]) + 1
    thing = Found(
        dn=directory_entries.split_extended(raw.dn)[1],
        attributes=attributes,
        members=tuple(guid for guid, _ in links),
        member_names=tuple(name for _, name in links),
    )
    return thing, rest


_BAD_COOKIE = 12
_log = structlog.get_logger()


@dataclass
class Conversation:
    """What to ask, and how far it got: `cookie` is the end when the reader is done.

    A full read asks for `filter_in_full`. A delta never does: the controller judges
    objects as they are now, so who has just left it would be left out in silence.
    """

    base: str
    filter: str
    filter_in_full: str
    attributes: Sequence[str]
    cookie: bytes
    flags: int = INCREMENTAL_VALUES
    more: bool = True

    def __post_init__(self) -> None:
        self.full = not self.cookie

    @property
    def may_replicate(self) -> bool:
        return not self.flags & OBJECT_SECURITY

    def restart(self) -> None:
        self.cookie, self.full = b"", True


def _page(session: Session, talk: Conversation) -> Generator[Found, None, Ending]:
    search = session.search(
        talk.base,
        SUBTREE,
        filter=talk.filter_in_full if talk.full else talk.filter,
        attributes=talk.attributes,
        # Without the second one Samba sends plain DNs, which need a look-up each.
        controls=[dirsync(talk.flags, talk.cookie), extended_dn()],
    )
    while True:
        try:
            raw: Raw = next(search)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending
        yield from_dirsync(raw, full=talk.full)


def _lacks_the_right(ending: Ending, talk: Conversation) -> bool:
    return ending.code == INSUFFICIENT_RIGHTS and talk.may_replicate


def changes(session: Session, talk: Conversation) -> Generator[Found, None, None]:
    """Yield objects as they arrive, until the controller says that there are no more.

    A cookie that the controller can't read starts a full read. An account without
    Replicating Directory Changes reads with OBJECT_SECURITY: what it may see.
    """
    while talk.more:
        ending = yield from _page(session, talk)
        if ending.succeeded and DIRSYNC in ending.controls:
            talk.more, talk.cookie = dirsync_reply(ending.controls[DIRSYNC])
        elif ending.code == _BAD_COOKIE and talk.cookie:
            _log.warning(
                "cookie refused, reading in full", controller=session.controller
            )
            talk.restart()
        elif _lacks_the_right(ending, talk):
            _log.warning(
                "account lacks Replicating Directory Changes, reading what it may see",
                controller=session.controller,
                account=session.account,
            )
            talk.flags |= OBJECT_SECURITY
        else:
            raise refused_search(
                session.controller,
                session.account,
                code=ending.code,
                message=ending.message,
            )
