"""Render notices as mail, in text and HTML, and send them over SMTP with TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
import jinja2

from cloudforest.base.errors import (
    CloudforestError,
    CredentialRejected,
    Misconfigured,
    Rejected,
    Unavailable,
)
from cloudforest.base.secrets import Secret, verifying_tls_context
from cloudforest.model.ports.notices import Notice
from cloudforest.model.registration import Mail

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cloudforest.adapters"),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)

SEND_SECONDS = 30.0
"""The limit for one message, from the connection to the last reply."""
QUIT_SECONDS = 2.0
_PERMANENT_FAILURE = 500
"""Replies from here on are permanent; lower ones are transient (RFC 5321 4.2.1)."""


def _parse_address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError) as error:  # IndexError: an empty text
        raise Rejected(
            f'"{text}" is not a mail address. Correct `notify` or `mail.from`.'
        ) from error


def _to_one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _render(template: str, notice: Notice) -> str:
    return _TEMPLATES.get_template(template).render(notice=notice)


def build_message(
    notice: Notice, *, sender: str, recipients: Sequence[str]
) -> EmailMessage:
    """Return the message; the text of a notice cannot add a header.

    Raises Rejected when an address is not valid.
    """
    message = EmailMessage()
    source = _parse_address(sender)
    message["From"] = source
    message["To"] = [_parse_address(each) for each in recipients]
    message["Subject"] = _to_one_line(
        f"[cloudforest {notice.tenant}] {notice.headline}"
    )
    message["Date"] = notice.time
    message["Message-ID"] = make_msgid(domain=source.domain)
    # Suppress automatic replies: RFC 3834, and Exchange's header for the same.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_render("notice.txt.j2", notice))
    message.add_alternative(_render("notice.html.j2", notice), subtype="html")
    return message


def _format_reply(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())[:200]}"


def _format_reason(error: OSError) -> str:
    return str(error) or f"no answer within {SEND_SECONDS:.0f} seconds"


def _error_from(error: Exception, server: str) -> CloudforestError:
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code):
            # The reply's text is left out: it may repeat the password.
            kind = CredentialRejected if code >= _PERMANENT_FAILURE else Unavailable
            return kind(
                f"The mail server {server} rejected our credentials ({code}). "
                "Correct `mail.auth`."
            )
        case aiosmtplib.SMTPRecipientsRefused(recipients=refused):
            answers = "; ".join(f"{e.recipient}: {_format_reply(e)}" for e in refused)
            return Rejected(
                f"The mail server {server} rejected every recipient ({answers})."
            )
        case aiosmtplib.SMTPConnectResponseError() | aiosmtplib.SMTPHeloError():
            return Unavailable(
                f"The mail server {server} is busy ({_format_reply(error)})."
            )
        case aiosmtplib.SMTPResponseException():
            return Rejected(
                f"The mail server {server} rejected the message "
                f"({_format_reply(error)})."
            )
        case OSError():
            return Unavailable(
                f"The mail server {server} cannot be used ({_format_reason(error)}). "
                "Check that it is running, and that `mail.ca` names the CA of its "
                "certificate."
            )
        case _:
            return Misconfigured(
                f"The mail server {server} cannot be used as `mail` describes it "
                f"({error}). Correct `mail`."
            )


@dataclass(frozen=True)
class SmtpMailer:
    """See `model.ports.notices.Mailer`.

    `ca` is a PEM file; `password` belongs to `mail.auth`.
    """

    mail: Mail
    ca: str | None = None
    password: Secret | None = None

    async def send(self, notice: Notice, recipients: Sequence[str]) -> tuple[str, ...]:
        message = build_message(notice, sender=self.mail.sender, recipients=recipients)
        with self._translate_errors():
            client = self._make_client()
        transport = None
        try:
            with self._translate_errors():
                async with asyncio.timeout(SEND_SECONDS):
                    await client.connect()
                    # aiosmtplib forgets the transport when a later step fails.
                    transport = client.transport
                    if self.mail.tls == "starttls":
                        await client.starttls()
                        transport = client.transport
                    if self.mail.auth and self.password:
                        await client.login(
                            self.mail.auth.username, self.password.reveal()
                        )
                    refused, _ = await client.send_message(message)
            # The server has the message, even if QUIT fails.
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=QUIT_SECONDS)
        finally:
            if isinstance(transport, asyncio.WriteTransport):
                # A clean close would wait for the server again.
                transport.abort()
            client.close()
            await asyncio.sleep(0)  # until the loop has closed the socket
        return tuple(refused)

    def _make_client(self) -> aiosmtplib.SMTP:
        mail, auth = self.mail, self.mail.auth
        encrypted = mail.tls != "off"
        if auth and not encrypted:
            raise Misconfigured(
                "`mail.auth` needs TLS. Set `mail.tls` to `starttls` or `implicit`."
            )
        return aiosmtplib.SMTP(
            hostname=mail.server,
            port=mail.port,
            use_tls=mail.tls == "implicit",
            start_tls=False,
            tls_context=verifying_tls_context(self.ca, document_key="mail.ca")
            if encrypted
            else None,
            timeout=SEND_SECONDS,
        )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _error_from(error, f"{self.mail.server}:{self.mail.port}") from None
