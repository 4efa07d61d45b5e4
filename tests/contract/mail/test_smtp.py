"""Notices sent through a real SMTP server."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import msgspec
import pytest
from tests.servers.certificates import issue
from tests.servers.mail import PASSWORD, USERNAME

from cloudforest.adapters import mail
from cloudforest.adapters.mail import SmtpMailer
from cloudforest.base.errors import (
    CredentialRejected,
    Misconfigured,
    Rejected,
    Unavailable,
)
from cloudforest.base.secrets import Secret
from cloudforest.model.ports.notices import Fact, Notice, Step
from cloudforest.model.registration import BasicAuth, Mail, SecretReference

NOTICE = Notice(
    tenant="contoso",
    time=datetime(2026, 11, 23, 12, tzinfo=UTC),
    headline="Job people is blocked by a guard",
    explanation="All effects of that sort wait — none of them was written.",
    facts=(Fact(name="Staged effects", value="12"),),
    steps=(Step(command="cloudforest job staged people", purpose="What waits."),),
)
AUTH = BasicAuth(username=USERNAME, password=SecretReference(env="SMTP_PASSWORD"))
TO = ("people-team@contoso.com", "it@contoso.com")


def mailer(server, *, password=PASSWORD, ca=True, **fields):
    mail = Mail(
        server="localhost",
        port=server.port,
        tls=server.tls,
        sender="cloudforest@contoso.com",
        auth=AUTH if server.auth else None,
    )
    return SmtpMailer(
        msgspec.structs.replace(mail, **fields),
        str(server.certificates.ca) if ca else None,
        Secret(password) if server.auth else None,
    )


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_notice_is_sent_over_tls_with_the_password(mail_server, tls):
    server = mail_server(tls=tls)

    assert await mailer(server).send(NOTICE, TO) == ()

    [letter] = server.letters
    assert (letter.encrypted, letter.authenticated) == (True, True)
    assert letter.sender == "cloudforest@contoso.com"
    assert letter.recipients == list(TO)
    assert letter.message["Subject"] == f"[cloudforest contoso] {NOTICE.headline}"
    assert letter.message["Date"].datetime == NOTICE.time
    for part in ("plain", "html"):
        text = " ".join(letter.part(part).split())
        assert NOTICE.explanation in text
        assert "cloudforest job staged people" in text
        assert "12" in text


async def test_notice_can_be_sent_without_auth_and_tls(mail_server):
    server = mail_server(tls="off", auth=False)
    await mailer(server).send(NOTICE, TO)
    [letter] = server.letters
    assert (letter.encrypted, letter.authenticated) == (False, False)


async def test_wrong_password_error_does_not_contain_the_password(mail_server):
    server = mail_server()
    with pytest.raises(CredentialRejected, match=r"mail\.auth") as caught:
        await mailer(server, password="canary-wrong").send(NOTICE, TO)
    assert "canary" not in str(caught.value)
    assert server.logins
    assert not any(server.logins)
    assert server.letters == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_untrusted_mail_server_certificate_is_refused(mail_server, tls):
    server = mail_server(tls=tls)
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await mailer(server, ca=False).send(NOTICE, TO)
    assert (server.letters, server.logins) == ([], [])


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_server_certificate_for_another_name_is_refused(
    mail_server, tmp_path, tls
):
    other = issue(tmp_path, names=["mail.contoso.com"], addresses=[])
    server = mail_server(tls=tls, certificates=other)
    with pytest.raises(Unavailable, match="Hostname mismatch"):
        await mailer(server).send(NOTICE, TO)
    assert (server.letters, server.logins) == ([], [])


async def test_mail_server_without_starttls_gets_nothing(mail_server):
    server = mail_server(tls="off", auth=False)
    with pytest.raises(Misconfigured, match="STARTTLS"):
        await mailer(server, tls="starttls", auth=AUTH).send(NOTICE, TO)
    assert (server.letters, server.logins) == ([], [])


async def test_password_is_never_sent_without_tls(mail_server):
    """`validate` refuses this, but an older registration may contain it."""
    server = mail_server(tls="off")
    with pytest.raises(Misconfigured, match="TLS"):
        await mailer(server).send(NOTICE, TO)
    assert server.logins == []


async def test_unreachable_mail_server_is_unavailable(mail_server):
    server = mail_server()
    server.stop()
    with pytest.raises(Unavailable, match=f"localhost:{server.port}"):
        await mailer(server).send(NOTICE, TO)


async def test_silent_mail_server_times_out(mail_server, monkeypatch):
    monkeypatch.setattr(mail, "SEND_SECONDS", 3.0)
    server = mail_server(tls="off", auth=False, dawdles=True)
    with pytest.raises(Unavailable, match=r"localhost:\d+ cannot be used"):
        await mailer(server).send(NOTICE, TO)


async def test_slow_quit_does_not_fail_the_delivery(mail_server, monkeypatch):
    monkeypatch.setattr(mail, "SEND_SECONDS", 10.0)
    monkeypatch.setattr(mail, "QUIT_SECONDS", 0.1)
    server = mail_server(silent_at="QUIT")

    assert await mailer(server).send(NOTICE, TO) == ()

    assert len(server.letters) == 1


async def test_cancelled_send_does_not_wait_for_the_server(mail_server):
    server = mail_server(silent_at="DATA")
    sending = asyncio.create_task(mailer(server).send(NOTICE, TO))
    async with asyncio.timeout(30):
        while not server.letters:
            await asyncio.sleep(0.01)
    began = time.monotonic()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert time.monotonic() - began < mail.SEND_SECONDS / 3


async def test_refused_recipients_are_returned_and_others_get_the_notice(mail_server):
    server = mail_server(refused=frozenset({"it@contoso.com"}))
    assert await mailer(server).send(NOTICE, TO) == ("it@contoso.com",)
    assert server.letters[0].recipients == ["people-team@contoso.com"]


async def test_notice_without_accepted_recipients_is_rejected(mail_server):
    server = mail_server(refused=frozenset(TO))
    with pytest.raises(Rejected, match="550 nobody of that name"):
        await mailer(server).send(NOTICE, TO)
