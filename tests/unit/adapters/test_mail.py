"""A notice becomes one message, even if names in it are hostile."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import msgspec
import pytest

from cloudforest.adapters.mail import build_message
from cloudforest.base.errors import Rejected
from cloudforest.model.ports.notices import Fact, Notice, Step

NOTICE = Notice(
    tenant="contoso",
    time=datetime(2026, 11, 23, 12, tzinfo=UTC),
    headline="Job people is blocked by a guard",
    explanation="They wait.",
    facts=(Fact(name="Reason", value="<script>alert('x')</script>"),),
    steps=(Step(command="cloudforest job staged people", purpose="What waits."),),
)
EVIL = "x\r\nBcc: thief@evil.example\r\n\r\nhello\x00\x0b\u2028Cc: thief@evil.example"


def made(notice=NOTICE, *, sender="cf@contoso.com", recipients=("it@contoso.com",)):
    return build_message(notice, sender=sender, recipients=recipients)


def on_the_wire(message):
    """Return the message as a recipient parses it."""
    data = message.as_bytes(policy=email.policy.SMTP)
    return email.message_from_bytes(data, policy=email.policy.default)


def test_text_part_is_plain_and_html_part_is_escaped():
    parsed = on_the_wire(made())
    assert parsed.get_content_type() == "multipart/alternative"
    plain, html = parsed.iter_parts()
    assert "<script>alert('x')</script>" in plain.get_content()
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


@pytest.mark.parametrize("field", ["tenant", "headline"])
def test_names_in_a_notice_cannot_add_headers(field):
    evil = msgspec.structs.replace(NOTICE, **{field: EVIL})
    parsed = on_the_wire(made(evil))
    assert set(parsed.keys()) == set(on_the_wire(made()).keys())
    assert "thief@evil.example" in parsed["Subject"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "it",
        "it@contoso.com\r\nRCPT TO:<thief@evil.example>",
        "a@b>,thief@evil",
        "a b@c",
    ],
)
def test_invalid_address_is_rejected(address):
    with pytest.raises(Rejected, match="not a mail address"):
        made(recipients=("it@contoso.com", address))
    with pytest.raises(Rejected, match="not a mail address"):
        made(sender=address)


def test_message_suppresses_automatic_replies():
    assert made()["Auto-Submitted"] == "auto-generated"


def test_long_command_stays_on_one_line():
    name = "n" * 60
    command = f"cloudforest agent run {name} --control URL"
    steps = (Step(command=command, purpose="On its host."),)
    parsed = on_the_wire(made(msgspec.structs.replace(NOTICE, steps=steps)))
    for part in parsed.iter_parts():
        assert command in part.get_content()
