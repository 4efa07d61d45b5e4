"""One bound LDAPS connection that yields entries as they arrive; its TLS and errors.

ldap3 collects a whole response before it returns, and Samba answers DirSync for a whole
domain in one response. So ldap3 connects, binds and sends; we read the answers from its
socket and decode them one message at a time.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from typing import TypeVar

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.core.tls import Tls
from ldap3.operation.search import search_operation

from cloudforest.adapters.ldap.ber import (
    Control,
    SearchResultDone,
    SearchResultEntry,
    decode_message,
    find_message_end,
)
from cloudforest.base.errors import (
    CloudforestError,
    CredentialRejected,
    Misconfigured,
    Rejected,
    Unavailable,
)
from cloudforest.base.secrets import Secret, verifying_tls_context

T = TypeVar("T")

CONNECT_SECONDS = 5
INVALID_CREDENTIALS = 49
INSUFFICIENT_RIGHTS = 50
_BUSY = frozenset({51, 52})
_HOSTNAME_MISMATCH = frozenset({62, 64})
# The hexadecimal Win32 code in the message of a refused bind.
_BIND_CODE = re.compile(r"\bdata ([0-9a-f]+)")
_BIND_REASONS = {
    "525": "the account does not exist",
    "52e": "the user name or the password is wrong",
    "530": "it is not allowed to log on at this time",
    "531": "it is not allowed to log on from this computer",
    "532": "its password has expired",
    "533": "it is disabled",
    "701": "it has expired",
    "773": "its password must be changed",
    "775": "it is locked out",
}

BASE, LEVEL, SUBTREE = ldap3.BASE, ldap3.LEVEL, ldap3.SUBTREE
RECEIVE_SECONDS = 120
"""Samba is silent while it searches a large domain; 22,000 people took 5 seconds."""
_READ_BYTES = 65_536
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""Seconds, seconds and probes: a dead controller is detected within two minutes."""


def make_bind_error(
    controller: str, account: str, *, code: int, message: str
) -> CloudforestError:
    if code in _BUSY:
        return make_broken_connection_error(controller, f"LDAP error {code}")
    match = _BIND_CODE.search(message)
    reason = _BIND_REASONS.get(match[1] if match else "")
    if reason is None and code == INVALID_CREDENTIALS:
        reason = "the user name or the password is wrong"
    return CredentialRejected(
        f"The domain controller {controller} refused the account {account}: "
        f"{reason or f'LDAP error {code}'}. Correct the account, or its user name and "
        "password in the configuration."
    )


def make_certificate_error(
    controller: str, server_name: str, error: ssl.SSLCertVerificationError
) -> Misconfigured:
    if error.verify_code in _HOSTNAME_MISMATCH:
        return Misconfigured(
            f"The certificate of the domain controller {controller} is not valid for "
            f"the name {server_name}. Use a name from the certificate in `controllers` "
            "or in `tls.serverName`."
        )
    return Misconfigured(
        f"The certificate of the domain controller {controller} is not trusted "
        f"({error.verify_message}). Put the certificate of its CA into the file that "
        "`tls.ca` names."
    )


def make_unreachable_error(controller: str, reason: str) -> Unavailable:
    return Unavailable(
        f"The domain controller {controller} can't be reached ({reason}). Check its "
        "name, that it is running, and that TCP port 636 is open from this host."
    )


def make_broken_connection_error(controller: str, reason: str) -> Unavailable:
    return Unavailable(
        f"The domain controller {controller} stopped answering ({reason}). Its partial "
        "answer is not used; the read is repeated."
    )


def make_search_error(session: Session, ending: SearchResultDone) -> CloudforestError:
    controller, account, code = session.controller, session.account, ending.code
    if code in _BUSY:
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


def make_no_controller_error(
    domain: str, errors: list[CloudforestError]
) -> CloudforestError:
    """Return one error for several controllers; a single one is returned unchanged."""
    if len(errors) == 1:
        return errors[0]
    sentences = " ".join(str(each) for each in errors)
    kind = (
        Misconfigured
        if all(isinstance(each, Misconfigured) for each in errors)
        else Unavailable
    )
    return kind(f"No domain controller of {domain} could be used. {sentences}")


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
        sent = [(each.oid, each.critical, each.value) for each in controls]
        try:
            self._connection.strategy.send("searchRequest", request, sent)
        except (LDAPException, OSError) as error:
            raise make_broken_connection_error(self.controller, str(error)) from error
        for message in self._read_messages():
            match self._decode(message):
                case SearchResultEntry() as entry:
                    yield entry
                case SearchResultDone() as ending:
                    return ending
                case None:
                    continue
        raise make_broken_connection_error(self.controller, "it closed the connection")

    def _decode(self, message: bytes) -> SearchResultEntry | SearchResultDone | None:
        try:
            return decode_message(message)
        except (IndexError, ValueError) as error:
            raise make_broken_connection_error(
                self.controller, "it sent invalid LDAP"
            ) from error

    def _read_messages(self) -> Iterator[bytes]:
        pending = bytearray()
        while data := self._receive():
            pending += data
            start = 0
            while (end := find_message_end(pending, start)) is not None:
                yield bytes(pending[start:end])
                start = end
            del pending[:start]

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise make_broken_connection_error(self.controller, str(error)) from error

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


def map_entries(
    search: Generator[SearchResultEntry, None, SearchResultDone],
    convert: Callable[[SearchResultEntry], T],
) -> Generator[T, None, SearchResultDone]:
    """Yield each entry converted, and return the end of the search."""
    while True:
        try:
            entry = next(search)
        except StopIteration as stop:
            ending: SearchResultDone = stop.value
            return ending
        yield convert(entry)


@dataclass(frozen=True)
class Account:
    username: str
    password: Secret


@dataclass(frozen=True)
class TlsSettings:
    """How a controller is verified; `ca` is a PEM file, None means the system's CAs."""

    ca: str | None
    server_name: str | None
    verify: bool

    def make_context(self) -> ssl.SSLContext:
        context = verifying_tls_context(self.ca, document_key="tls.ca")
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class CheckedTls(Tls):
    """TLS that checks the host name with `ssl`, instead of ldap3's own check."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(validate=context.verify_mode)
        self._context = context
        self._server_name = server_name
        self.failure: OSError | None = None

    def wrap_socket(
        self,
        connection: ldap3.Connection,
        do_handshake: bool = False,  # noqa: FBT001, FBT002 - ldap3's signature
    ) -> None:
        try:
            connection.socket.settimeout(CONNECT_SECONDS)
            connection.socket = self._context.wrap_socket(
                connection.socket,
                server_hostname=self._server_name,
                do_handshake_on_connect=do_handshake,
            )
        except OSError as error:
            self.failure = error
            raise
