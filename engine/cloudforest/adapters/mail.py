"""Hands notices to an SMTP server, over TLS that is verified.

A notice as a message: text, and the same as HTML.
"""

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


def build_message(
    notice: Notice, *, sender: str, recipients: Sequence[str]
) -> EmailMessage:
    """Raise Rejected when an address is none; no text of a notice can add a header."""
    made = EmailMessage()
    source = _parse_address(sender)
    made["From"] = source
    made["To"] = [_parse_address(each) for each in recipients]
    made["Subject"] = _to_one_line(f"[cloudforest {notice.tenant}] {notice.headline}")
    made["Date"] = notice.time
    made["Message-ID"] = make_msgid(domain=source.domain)
    # No machine is to answer a machine: RFC 3834, and Exchange's word for the same.
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content(_render("notice.txt.j2", notice))
    made.add_alternative(_render("notice.html.j2", notice), subtype="html")
    return made


def _parse_address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError) as error:  # the parser's own, of an empty text
        raise Rejected(
            f"{text!r} is no mail address; correct `notify` and `mail.from`."
        ) from error


def _to_one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _render(template: str, notice: Notice) -> str:
    return _TEMPLATES.get_template(template).render(notice=notice)


SEND_SECONDS = 30.0
"""For the whole of one message, however the server spends them."""

QUIT_SECONDS = 2.0
_PERMANENT_FAILURE = 500
"""Replies from here on are a no; those below ask to try again (RFC 5321 4.2.1)."""


@dataclass(frozen=True)
class SmtpMailer:
    """See `model.ports.Mailer`. `ca` is a file; `password` goes with `mail.auth`."""

    mail: Mail
    ca: str | None = None
    password: Secret | None = None

    async def send(self, notice: Notice, recipients: Sequence[str]) -> tuple[str, ...]:
        made = build_message(notice, sender=self.mail.sender, recipients=recipients)
        with self._translate_errors():
            client = self._make_client()
        transport = None
        try:
            with self._translate_errors():
                async with asyncio.timeout(SEND_SECONDS):
                    await client.connect()
                    transport = client.transport
                    refused, _ = await client.send_message(made)
            # It has the message, whatever comes of the farewell.
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=QUIT_SECONDS)
        finally:
            if isinstance(transport, asyncio.WriteTransport):
                # To close it politely would wait for the server once more.
                transport.abort()
            client.close()
        return tuple(refused)

    def _make_client(self) -> aiosmtplib.SMTP:
        mail, auth = self.mail, self.mail.auth
        encrypted = mail.tls != "off"
        if auth and not encrypted:
            raise Misconfigured("A mail server's password is never sent without TLS.")
        return aiosmtplib.SMTP(
            hostname=mail.server,
            port=mail.port,
            use_tls=mail.tls == "implicit",
            start_tls=mail.tls == "starttls",
            tls_context=verifying_tls_context(self.ca, document_key="mail.ca")
            if encrypted
            else None,
            username=auth.username if auth else None,
            password=self.password.reveal() if self.password else None,
            timeout=SEND_SECONDS,
        )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise what happened as one of ours."""
        try:
            yield
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _error_from(error, f"{self.mail.server}:{self.mail.port}") from None


def _error_from(error: Exception, server: str) -> CloudforestError:
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code):
            # Not its words: it may repeat what it was given.
            kind = CredentialRejected if code >= _PERMANENT_FAILURE else Unavailable
            return kind(
                f"The mail server {server} does not accept our user name and password "
                f"({code}); correct `mail.auth`."
            )
        case aiosmtplib.SMTPRecipientsRefused(recipients=refused):
            answers = "; ".join(f"{e.recipient}: {_format_reply(e)}" for e in refused)
            return Rejected(f"The mail server {server} takes no recipient ({answers}).")
        case aiosmtplib.SMTPConnectResponseError() | aiosmtplib.SMTPHeloError():
            return Unavailable(
                f"The mail server {server} is busy ({_format_reply(error)})."
            )
        case aiosmtplib.SMTPResponseException():
            return Rejected(
                f"The mail server {server} does not take it ({_format_reply(error)})."
            )
        case OSError():
            return Unavailable(
                f"The mail server {server} can't be used "
                f"({_format_reason(error)}); see that "
                "it runs, and that `mail.ca` names the authority of its certificate."
            )
        case _:
            return Misconfigured(
                f"The mail server {server} and `mail` do not fit ({error}); correct it."
            )


def _format_reply(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())[:200]}"


def _format_reason(error: OSError) -> str:
    return str(error) or f"no answer within {SEND_SECONDS:.0f} seconds"
