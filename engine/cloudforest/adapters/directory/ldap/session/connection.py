"""How a connection to a controller is opened, verified and bound."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException

from cloudforest.adapters.directory.ldap.session import failures
from cloudforest.adapters.directory.ldap.session.session import (
    RECEIVE_SECONDS,
    Session,
)
from cloudforest.adapters.directory.ldap.session.trust import (
    CONNECT_SECONDS,
    Account,
    CheckedTls,
    Trust,
)
from cloudforest.base.errors import Misconfigured

_PORT = 636


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
