"""Open, verify and bind connections to the domain controllers of one domain.

Controllers are tried in order, and idle connections are reused.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from threading import Event
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException

from cloudforest.adapters.ldap.session import (
    CONNECT_SECONDS,
    RECEIVE_SECONDS,
    Account,
    CheckedTls,
    Session,
    TlsSettings,
    make_bind_error,
    make_broken_connection_error,
    make_certificate_error,
    make_no_controller_error,
    make_unreachable_error,
)
from cloudforest.base.errors import CloudforestError, Misconfigured, Unavailable

_PORT = 636

IDLE_SECONDS = 5.0
"""How long an idle connection is kept: a bind takes ten times as long as a search."""


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


def _open_connection(
    controller: str, trust: TlsSettings, account: Account
) -> ldap3.Connection:
    host, port = _parse_url(controller)
    name = trust.server_name or host
    tls = CheckedTls(trust.make_context(), name)
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
        # ValueError: the host name is not valid.
        if connection.socket is not None:
            connection.socket.close()
        if isinstance(tls.failure, ssl.SSLCertVerificationError):
            raise make_certificate_error(controller, name, tls.failure) from error
        raise make_unreachable_error(controller, str(tls.failure or error)) from error
    return connection


def _bind(session: Session, connection: ldap3.Connection) -> Session:
    try:
        bound = connection.bind(read_server_info=False)
    except (LDAPException, OSError) as error:
        session.close()
        raise make_broken_connection_error(session.controller, str(error)) from error
    if not bound:
        result = connection.result
        session.close()
        raise make_bind_error(
            session.controller,
            session.account,
            code=result["result"],
            message=result["message"] or "",
        )
    # A silent controller is skipped soon until here; searches may take longer.
    connection.socket.settimeout(RECEIVE_SECONDS)
    return session


def open_session(controller: str, trust: TlsSettings, account: Account) -> Session:
    """Connect, verify and bind; raise Unavailable, Misconfigured or Rejected."""
    if not account.password.reveal():
        # A controller would accept the bind as an anonymous one.
        raise Misconfigured(
            f"The password of the account {account.username} is empty. Set it in the "
            "credential."
        )
    connection = _open_connection(controller, trust, account)
    return _bind(Session(connection, controller, account.username), connection)


def _close_late_session(task: asyncio.Task[Session]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


class Controllers:
    """The ldaps:// URLs of a domain, tried in order; the last one used comes first.

    A controller that can't be reached or verified is skipped. If one refuses the
    account, no other is tried: more attempts could lock the account out.
    """

    def __init__(
        self, domain: str, urls: Sequence[str], trust: TlsSettings, account: Account
    ) -> None:
        self._domain = domain
        self._urls = tuple(urls)
        self._last_used = self._urls[0]
        self._trust = trust
        self._account = account
        self._idle: list[tuple[float, Session]] = []

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
        """Connect in a thread, which can't be cancelled: a late session is closed."""
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
        for controller in sorted(self._urls, key=lambda each: each != self._last_used):
            if cancelled.is_set():
                break  # The process can't end before its threads do.
            try:
                session = open_session(controller, self._trust, self._account)
            except (Unavailable, Misconfigured) as error:
                errors.append(error)
            else:
                self._last_used = controller
                return session
        raise make_no_controller_error(self._domain, errors)
