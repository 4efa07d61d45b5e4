"""One bound LDAPS connection that yields entries as they arrive, and its errors.

ldap3 collects a whole response before it returns, and Samba answers DirSync for a whole
domain in one response. So ldap3 connects, binds and sends; we read the answers from its
socket and decode them one message at a time.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import search_operation

from cloudforest.adapters.ldap.ber import (
    Control,
    SearchResultDone,
    SearchResultEntry,
    decode_message,
    find_message_end,
)
from cloudforest.base.errors import CloudforestError, Rejected, Unavailable

SUCCESS, INSUFFICIENT_RIGHTS = 0, 50
BUSY = frozenset({51, 52})
BASE, LEVEL, SUBTREE = ldap3.BASE, ldap3.LEVEL, ldap3.SUBTREE
RECEIVE_SECONDS = 120
"""Samba is silent while it searches a large domain; 22,000 people took 5 seconds."""
_READ_BYTES = 65_536
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""Seconds, seconds and probes: a dead controller is detected within two minutes."""


def make_broken_connection_error(controller: str, reason: str) -> Unavailable:
    return Unavailable(
        f"The domain controller {controller} stopped answering ({reason}). Its partial "
        "answer is not used; the read is repeated."
    )


def make_search_error(session: Session, ending: SearchResultDone) -> CloudforestError:
    controller, account, code = session.controller, session.account, ending.code
    if code in BUSY:
        return make_broken_connection_error(controller, f"LDAP error {code}")
    if code == INSUFFICIENT_RIGHTS:
        return Rejected(
            f"The domain controller {controller} does not let the account {account} "
            "read the domain. Grant it Replicating Directory Changes on the domain."
        )
    return Rejected(
        f"The domain controller {controller} refused a search by the account {account} "
        f"(LDAP error {code}: {ending.message.strip() or 'no reason given'})."
    )


class Session:
    """One bound connection, for one reader at a time."""

    def __init__(
        self, connection: ldap3.Connection, controller: str, account: str
    ) -> None:
        self._connection = connection
        self._socket: socket.socket = connection.socket
        self.controller = controller
        self.account = account

    def search(
        self,
        base: str,
        scope: str,
        *,
        filter: str,  # noqa: A002 - LDAP's own word
        attributes: Sequence[str],
        controls: Sequence[Control] = (),
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        """Yield the entries as they arrive; return the end of the search."""
        request = search_operation(
            base, filter, scope, ldap3.DEREF_NEVER, list(attributes), 0, 0,
            types_only=False, auto_escape=False, auto_encode=False,
        )  # fmt: skip
        try:
            self._connection.strategy.send("searchRequest", request, list(controls))
            for message in self._read_messages():
                item = decode_message(message)
                if isinstance(item, SearchResultEntry):
                    yield item
                elif item is not None:
                    return item
        except (LDAPException, OSError) as error:
            raise make_broken_connection_error(self.controller, str(error)) from error
        except (IndexError, ValueError) as error:
            raise make_broken_connection_error(
                self.controller, "it sent invalid LDAP"
            ) from error
        raise make_broken_connection_error(self.controller, "it closed the connection")

    def _read_messages(self) -> Iterator[bytes]:
        pending = bytearray()
        while data := self._socket.recv(_READ_BYTES):
            pending += data
            start = 0
            while (end := find_message_end(pending, start)) is not None:
                yield bytes(pending[start:end])
                start = end
            del pending[:start]

    def disable_timeout(self) -> None:
        """Wait for answers without limit, as long as TCP keep-alive succeeds."""
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if (option := getattr(socket, name, None)) is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, option, value)

    @property
    def is_usable(self) -> bool:
        """Return whether the session can be used again.

        Data or an end of file on an idle socket means that the controller closed it.
        """
        if self._socket.gettimeout() != RECEIVE_SECONDS:
            return False
        try:
            with DefaultSelector() as selector:
                selector.register(self._socket, EVENT_READ)
                return not selector.select(0)
        except (OSError, ValueError):
            return False

    def abort(self) -> None:
        """End a read that another thread waits for."""
        with suppress(OSError):  # It may be closed already.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        try:
            self._connection.unbind()
        except (LDAPException, OSError):
            self._socket.close()
