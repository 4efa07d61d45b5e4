"""One bound LDAPS connection that yields entries as they arrive.

ldap3 collects a whole response before it returns, and Samba answers DirSync for a whole
domain in one response. So ldap3 connects, binds and sends, and the answers are read
from its socket and decoded one message at a time.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import search_operation

from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.session.trust import (
    CONNECT_SECONDS,
    Account,
    CheckedTls,
    Trust,
)
from cloudforest.adapters.directory.ldap.wire.controls import Control
from cloudforest.adapters.directory.ldap.wire.messages import (
    Ending,
    Raw,
    decode,
    message_end,
)
from cloudforest.base.errors import Misconfigured

BASE, LEVEL, SUBTREE = ldap3.BASE, ldap3.LEVEL, ldap3.SUBTREE
RECEIVE_SECONDS = 120
"""Samba is silent while it searches a large domain; 22,000 people took 5 seconds."""
_READ_BYTES = 65_536
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""Seconds, seconds, and how often: a silent controller is found dead in two minutes."""
_PORT = 636


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

    def abort(self) -> None:
        """Make a reader in another thread give up."""
        with suppress(OSError):  # It may be closed already.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        try:
            self._connection.unbind()
        except (LDAPException, OSError):
            self._socket.close()


def _address(controller: str) -> tuple[str, int]:
    try:
        address = urlsplit(controller)
        host, port = address.hostname, address.port or _PORT
    except ValueError as error:
        raise Misconfigured(
            f"The controller {controller} can't be used ({error}): write it as "
            "ldaps://NAME or ldaps://NAME:PORT."
        ) from error
    if address.scheme != "ldaps" or not host:
        raise Misconfigured(
            f"The controller {controller} can't be used: write it as ldaps://NAME, "
            "because a controller takes no password over a plain connection."
        )
    return host, port


def _opened(controller: str, trust: Trust, account: Account) -> ldap3.Connection:
    host, port = _address(controller)
    name = trust.server_name or host
    tls = CheckedTls(trust.context(), name)
    server = ldap3.Server(
        host,
        port=port,
        use_ssl=True,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=CONNECT_SECONDS,
    )
    connection = ldap3.Connection(
        server,
        account.username,
        account.password.reveal(),
        client_strategy=ldap3.SYNC,
        auto_referrals=False,
        check_names=False,
        read_only=True,
        receive_timeout=RECEIVE_SECONDS,
        fast_decoder=True,
    )
    try:
        connection.open(read_server_info=False)
    except (LDAPException, OSError, ValueError) as error:
        # ValueError: a name that no host can have.
        if connection.socket is not None:
            connection.socket.close()
        if isinstance(tls.failure, ssl.SSLCertVerificationError):
            raise failures.unverified(controller, name, tls.failure) from error
        raise failures.unreachable(controller, str(tls.failure or error)) from error
    return connection


def _bound(session: Session, connection: ldap3.Connection) -> Session:
    try:
        bound = connection.bind(read_server_info=False)
    except (LDAPException, OSError) as error:
        session.close()
        raise failures.broken(session.controller, str(error)) from error
    if not bound:
        result = connection.result
        session.close()
        raise failures.refused_bind(
            session.controller,
            session.account,
            code=result["result"],
            message=result["message"] or "",
        )
    # Until here a silent controller is passed over soon; searches may take longer.
    connection.socket.settimeout(RECEIVE_SECONDS)
    return session


def connect(controller: str, trust: Trust, account: Account) -> Session:
    """Open, verify and bind. Raises Unavailable, Misconfigured or Rejected."""
    if not account.password.reveal():
        raise Misconfigured(
            f"The password of the account {account.username} is empty, and a "
            "controller takes a bind without password for an anonymous one."
        )
    connection = _opened(controller, trust, account)
    return _bound(Session(connection, controller, account.username), connection)
