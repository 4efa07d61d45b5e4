"""How a connection to a controller is opened, verified and bound.

The controllers of one domain: which of them is asked, and by whom.
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


def _parse_url(controller: str) -> tuple[str, int]:
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
        # ValueError: a name that no host can have.
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
    # Until here a silent controller is passed over soon; searches may take longer.
    connection.socket.settimeout(RECEIVE_SECONDS)
    return session


def open_session(controller: str, trust: TlsSettings, account: Account) -> Session:
    """Open, verify and bind. Raises Unavailable, Misconfigured or Rejected."""
    if not account.password.reveal():
        raise Misconfigured(
            f"The password of the account {account.username} is empty, and a "
            "controller takes a bind without password for an anonymous one."
        )
    connection = _open_connection(controller, trust, account)
    return _bind(Session(connection, controller, account.username), connection)


IDLE_SECONDS = 5.0
"""A connection is used again for so long: to bind takes ten times as long as to ask."""


def _close_late_session(task: asyncio.Task[Session]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


class Controllers:
    """ldaps:// URLs, tried in order, the one that answered last before all others.

    A controller that can't be reached or verified is passed over; one that refuses the
    account is not, because the next one would only bring the account closer to being
    locked out.
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
        """Give a session to one reader; what it left half read is not used again."""
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
        """Close what is kept for the next reader."""
        for _, session in self._idle:
            session.close()
        self._idle.clear()

    async def _connect_in_thread(self) -> Session:
        """Connect in a thread, which can't be cancelled: a late session is closed."""
        wanted = Event()
        wanted.set()
        task = asyncio.create_task(
            asyncio.to_thread(self._connect_first_reachable, wanted)
        )
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            wanted.clear()
            task.add_done_callback(_close_late_session)
            raise

    def _connect_first_reachable(self, wanted: Event) -> Session:
        failed: list[CloudforestError] = []
        for controller in sorted(self._urls, key=lambda each: each != self._last_used):
            if not wanted.is_set():
                break  # The process can't end before its threads do.
            try:
                session = open_session(controller, self._trust, self._account)
            except (Unavailable, Misconfigured) as error:
                failed.append(error)
            else:
                self._last_used = controller
                return session
        raise make_no_controller_error(self._domain, failed)
