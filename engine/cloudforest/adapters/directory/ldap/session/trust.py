"""Who we are to a controller, and how it proves itself to us."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import ldap3
from ldap3.core.tls import Tls

from cloudforest.adapters.tls import trusting
from cloudforest.base.secrets import Secret

CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Account:
    username: str
    password: Secret


@dataclass(frozen=True)
class Trust:
    """How a controller proves itself: `ca` is a PEM file, None the machine's own."""

    ca: str | None
    server_name: str | None
    verify: bool

    def context(self) -> ssl.SSLContext:
        context = trusting(self.ca, key="tls.ca")
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class CheckedTls(Tls):
    """TLS with Python's own check of the host name; ldap3 does it by hand."""

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
