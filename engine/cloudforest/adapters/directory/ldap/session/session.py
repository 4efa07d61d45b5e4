"""One bound LDAPS connection that yields entries as they arrive.

ldap3 collects a whole response before it returns, and Samba answers DirSync for a whole
domain in one response. So ldap3 connects, binds and sends, and the answers are read
from its socket and decoded one message at a time.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import search_operation

from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.wire.controls import Control
from cloudforest.adapters.directory.ldap.wire.messages import (
    Ending,
    Raw,
    decode,
    message_end,
)

BASE, LEVEL, SUBTREE = ldap3.BASE, ldap3.LEVEL, ldap3.SUBTREE
RECEIVE_SECONDS = 120
"""Samba is silent while it searches a large domain; 22,000 people took 5 seconds."""
_READ_BYTES = 65_536
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""Seconds, seconds, and how often: a silent controller is found dead in two minutes."""


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
    ) -> Generator[Raw, None, Ending]:
        """Yield the entries as they arrive and return how the search ended."""
        request = search_operation(
            base, filter, scope, ldap3.DEREF_NEVER, list(attributes), 0, 0,
            types_only=False, auto_escape=False, auto_encode=False,
        )  # fmt: skip
        sent = [(each.oid, each.critical, each.value) for each in controls]
        try:
            self._connection.strategy.send("searchRequest", request, sent)
        except (LDAPException, OSError) as error:
            raise failures.broken(self.controller, str(error)) from error
        for message in self._messages():
            match self._decoded(message):
                case Raw() as entry:
                    yield entry
                case Ending() as ending:
                    return ending
                case None:
                    continue
        raise failures.broken(self.controller, "it closed the connection")

    def _decoded(self, message: bytes) -> Raw | Ending | None:
        try:
            return decode(message)
        except (IndexError, ValueError) as error:
            raise failures.broken(self.controller, "it sent no valid LDAP") from error

    def _messages(self) -> Iterator[bytes]:
        pending = bytearray()
        while data := self._receive():
            pending += data
            start = 0
            while (end := message_end(pending, start)) is not None:
                yield bytes(pending[start:end])
                start = end
            del pending[:start]

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise failures.broken(self.controller, str(error)) from error

    def wait_for_ever(self) -> None:
        """Let the controller be silent for as long as TCP says that it is there."""
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if (option := getattr(socket, name, None)) is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, option, value)

    @property
    def is_usable(self) -> bool:
        """Tell whether the controller still listens: silence, it has nothing to say."""
        if self._socket.gettimeout() != RECEIVE_SECONDS:
            return False
        try:
            with DefaultSelector() as selector:
                selector.register(self._socket, EVENT_READ)
                return not selector.select(0)
        except (OSError, ValueError):
            return False

    def abort(self) -> None:
        """Make a reader in another thread give up."""
        with suppress(OSError):  # It may be closed already.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        try:
            self._connection.unbind()
        except (LDAPException, OSError):
            self._socket.close()
