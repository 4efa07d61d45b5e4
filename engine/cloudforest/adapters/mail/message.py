"""A notice as a message: text, and the same as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid

import jinja2

from cloudforest.base.errors import Rejected
from cloudforest.model.notices import Notice

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cloudforest.adapters.mail"),
    autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)


def message(notice: Notice, *, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Raise Rejected when an address is none; no text of a notice can add a header."""
    made = EmailMessage()
    source = _address(sender)
    made["From"] = source
    made["To"] = [_address(each) for each in recipients]
    made["Subject"] = _in_one_line(f"[cloudforest {notice.tenant}] {notice.headline}")
    made["Date"] = notice.time
    made["Message-ID"] = make_msgid(domain=source.domain)
    # No machine is to answer a machine: RFC 3834, and Exchange's word for the same.
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content(_rendered("notice.txt.j2", notice))
    made.add_alternative(_rendered("notice.html.j2", notice), subtype="html")
    return made


def _address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError) as error:  # the parser's own, of an empty text
        raise Rejected(
            f"{text!r} is no mail address; correct `notify` and `mail.from`."
        ) from error


def _in_one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _rendered(template: str, notice: Notice) -> str:
    return _TEMPLATES.get_template(template).render(notice=notice)
