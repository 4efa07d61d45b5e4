"""The DirSync conversation: what changed since a cookie, page after page."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import structlog

from cloudforest.adapters.directory.entries import Found
from cloudforest.adapters.directory.ldap import found
from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.session.session import SUBTREE, Session
from cloudforest.adapters.directory.ldap.wire.controls import (
    DIRSYNC,
    INCREMENTAL_VALUES,
    OBJECT_SECURITY,
    dirsync,
    dirsync_reply,
    extended_dn,
)
from cloudforest.adapters.directory.ldap.wire.messages import Ending, Raw

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
        yield found.from_dirsync(raw, full=talk.full)


def _lacks_the_right(ending: Ending, talk: Conversation) -> bool:
    return ending.code == failures.INSUFFICIENT_RIGHTS and talk.may_replicate


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
            raise failures.refused_search(
                session.controller,
                session.account,
                code=ending.code,
                message=ending.message,
            )
