"""A real SMTP server in this process: TLS with our certificates, and AUTH."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from tests.servers.certificates import Certificates, issue

USERNAME = "cloudforest"
PASSWORD = "canary-smtp-password"


@dataclass(frozen=True)
class Letter:
    sender: str
    recipients: list[str]
    encrypted: bool
    authenticated: bool
    message: EmailMessage

    def part(self, kind: str) -> str:
        """Return the text of `plain` or `html`, as the reader sees it."""
        body = self.message.get_body((kind,))
        assert isinstance(body, EmailMessage)
        return body.get_content()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class _Client(SMTP):
    """Reports each transport: aiosmtpd loses the first when a STARTTLS fails."""

    def __init__(
        self,
        on_transport: Callable[[asyncio.WriteTransport], None],
        *arguments: Any,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._on_transport = on_transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._on_transport(transport)
        super().connection_made(transport)


@dataclass
class MailServer:
    """Listens on one port between `start` and `stop`; keeps accepted mail.

    `refused`: recipients that it rejects. `dawdles`: it sends no greeting.
    `silent_at`: it does not answer from this command on.
    """

    tls: Literal["starttls", "implicit", "off"]
    certificates: Certificates
    auth: bool = True
    refused: frozenset[str] = frozenset()
    dawdles: bool = False
    silent_at: Literal["", "DATA", "QUIT"] = ""
    port: int = field(default_factory=_free_port)
    letters: list[Letter] = field(default_factory=list)
    logins: list[bool] = field(default_factory=list)
    _stop: Callable[[], None] | None = None
    _transports: list[asyncio.WriteTransport] = field(default_factory=list)
    _sockets: list[Any] = field(default_factory=list)

    def start(self) -> None:
        ready = threading.Event()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), daemon=True
        )
        thread.start()
        assert ready.wait(30), "the mail server did not start"
        end_loop = self._stop
        assert end_loop

        def stop() -> None:
            end_loop()
            thread.join(30)

        self._stop = stop

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None

    async def _serve(self, ready: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        server = await loop.create_server(
            asyncio.Protocol if self.dawdles else self._protocol,
            "127.0.0.1",
            self.port,
            ssl=self._context() if self.tls == "implicit" else None,
        )
        ready.set()
        await stopped.wait()
        server.close()
        for each in self._transports:
            each.abort()
        # A failed handshake closes the socket a few turns of the loop later.
        async with asyncio.timeout(30):
            while any(each.fileno() != -1 for each in self._sockets):
                await asyncio.sleep(0.01)

    def _protocol(self) -> SMTP:
        return _Client(
            self._keep,
            self,
            hostname="mail.test",
            tls_context=self._context() if self.tls == "starttls" else None,
            require_starttls=self.tls == "starttls",
            # aiosmtpd sees TLS only where STARTTLS began it.
            auth_required=self.auth and self.tls == "starttls",
            auth_require_tls=self.tls == "starttls",
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _keep(self, transport: asyncio.WriteTransport) -> None:
        self._transports.append(transport)
        self._sockets.append(transport.get_extra_info("socket"))

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        return context

    def _authenticate(
        self,
        _server: SMTP,
        _session: Session,
        _envelope: Envelope,
        _how: str,
        data: Any,
    ) -> AuthResult:
        good = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
        self.logins.append(good)
        return AuthResult(success=good, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.letters.append(
            Letter(
                sender=envelope.mail_from or "",
                recipients=list(envelope.rcpt_tos),
                encrypted=server.transport.get_extra_info("sslcontext") is not None,
                authenticated=bool(session.authenticated),
                message=email.message_from_bytes(
                    envelope.content, policy=email.policy.default
                ),
            )
        )
        await self._answer("DATA")
        return "250 taken"

    async def handle_QUIT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        await self._answer("QUIT")
        return "221 bye"

    async def _answer(self, command: str) -> None:
        if command == self.silent_at:
            await asyncio.sleep(3600)


@pytest.fixture
def mail_certificates(tmp_path: Path) -> Certificates:
    folder = tmp_path / "mail-certificates"
    folder.mkdir()
    return issue(folder, names=["localhost"], addresses=["127.0.0.1"])


@pytest.fixture
def mail_server(mail_certificates: Certificates) -> Iterator[Callable[..., MailServer]]:
    """Start mail servers: `server = mail_server(tls="implicit")`."""
    running: list[MailServer] = []

    def start(**how: Any) -> MailServer:
        server = MailServer(
            **{"tls": "starttls", "certificates": mail_certificates, **how}
        )
        server.start()
        running.append(server)
        return server

    yield start
    for each in running:
        each.stop()
