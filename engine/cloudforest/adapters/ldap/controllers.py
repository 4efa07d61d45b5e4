"""Open, verify and bind connections to the domain controllers of one domain.

Controllers are tried in order, and idle connections are reused.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Event
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.core.tls import Tls

from cloudforest.adapters.ldap.session import (
    BUSY,
    RECEIVE_SECONDS,
    Session,
    make_broken_connection_error,
)
from cloudforest.base.errors import (
    CloudforestError,
    CredentialRejected,
    Misconfigured,
    Unavailable,
)
from cloudforest.base.secrets import Secret, verifying_tls_context

_PORT = 636
CONNECT_SECONDS = 5
IDLE_SECONDS = 5.0
"""How long an idle connection is kept: a bind takes ten times as long as a search."""
INVALID_CREDENTIALS = 49
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


def _parse_url(controller: str) -> tuple[str, int]:
    try:
        address = urlsplit(controller)
        host, port = address.hostname, address.port or _PORT
    except ValueError as error:
        raise Misconfigured(
            f'The controller URL "{controller}" is not valid ({error}). Write '
            "ldaps://NAME or ldaps://NAME:PORT."
        ) from error
    if address.scheme != "ldaps" or not host:
        raise Misconfigured(
            f'The controller URL "{controller}" is not valid. Write ldaps://NAME; '
            "passwords are never sent over a plain connection."
        )
    return host, port


def _make_certificate_error(
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


def _bind(session: Session, connection: ldap3.Connection) -> Session:
    try:
        bound = connection.bind(read_server_info=False)
    except (LDAPException, OSError) as error:
        session.close()
        raise make_broken_connection_error(session.controller, str(error)) from error
    if bound:
        # A silent controller is skipped soon until here; searches may take longer.
        connection.socket.settimeout(RECEIVE_SECONDS)
        return session
    code, message = connection.result["result"], connection.result["message"] or ""
    session.close()
    if code in BUSY:
        raise make_broken_connection_error(session.controller, f"LDAP error {code}")
    match = _BIND_CODE.search(message)
    reason = _BIND_REASONS.get(match[1] if match else "")
    if reason is None and code == INVALID_CREDENTIALS:
        reason = "the user name or the password is wrong"
    raise CredentialRejected(
        f"The domain controller {session.controller} refused the account "
        f"{session.account}: {reason or f'LDAP error {code}'}. Correct the account, or "
        "its user name and password in the configuration."
    )


def _close_late_session(task: asyncio.Task[Session]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


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


@dataclass
class Controllers:
    """The ldaps:// URLs of a domain, tried in order; the last one used comes first.

    A controller that cannot be reached or verified is skipped. If one refuses the
    account, no other is tried: more attempts could lock the account out. `ca` is a PEM
    file, None means the system's CAs.
    """

    domain: str
    urls: Sequence[str]
    ca: str | None
    server_name: str | None
    verify: bool
    username: str
    password: Secret
    _last_used: str | None = None
    _idle: list[tuple[float, Session]] = field(default_factory=list)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Lend a session to one reader; it is closed if the reader fails."""
        session = self._reuse_idle() or await self._connect_in_thread()
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._idle.append((time.monotonic(), session))

    def _reuse_idle(self) -> Session | None:
        while self._idle:
            since, session = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and session.is_usable:
                return session
            session.close()
        return None

    def close(self) -> None:
        """Close the idle sessions."""
        for _, session in self._idle:
            session.close()
        self._idle.clear()

    async def _connect_in_thread(self) -> Session:
        """Connect in a thread, which cannot be cancelled: a late session is closed."""
        cancelled = Event()
        task = asyncio.create_task(
            asyncio.to_thread(self._connect_first_reachable, cancelled)
        )
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled.set()
            task.add_done_callback(_close_late_session)
            raise

    def _connect_first_reachable(self, cancelled: Event) -> Session:
        errors: list[CloudforestError] = []
        for controller in sorted(self.urls, key=lambda each: each != self._last_used):
            if cancelled.is_set():
                break  # The process cannot end before its threads do.
            try:
                session = self._open_session(controller)
            except (Unavailable, Misconfigured) as error:
                errors.append(error)
            else:
                self._last_used = controller
                return session
        if len(errors) == 1:
            raise errors[0]
        is_misconfigured = all(isinstance(each, Misconfigured) for each in errors)
        kind = Misconfigured if is_misconfigured else Unavailable
        sentences = " ".join(map(str, errors))
        raise kind(f"No domain controller of {self.domain} could be used. {sentences}")

    def _open_session(self, controller: str) -> Session:
        """Connect, verify and bind; raise Unavailable, Misconfigured or Rejected."""
        password = self.password.reveal()
        if not password:
            # A controller would accept the bind as an anonymous one.
            raise Misconfigured(
                f"The password of the account {self.username} is empty. Set it in the "
                "credential."
            )
        host, port = _parse_url(controller)
        context = verifying_tls_context(self.ca, document_key="tls.ca")
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        name = self.server_name or host
        tls = CheckedTls(context, name)
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
            self.username,
            password,
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
            # ValueError: the host name is not valid.
            if connection.socket is not None:
                connection.socket.close()
            if isinstance(tls.failure, ssl.SSLCertVerificationError):
                raise _make_certificate_error(controller, name, tls.failure) from error
            raise Unavailable(
                f"The domain controller {controller} cannot be reached "
                f"({tls.failure or error}). Check its name, that it is running, and "
                "that TCP port 636 is open from this host."
            ) from error
        return _bind(Session(connection, controller, self.username), connection)
