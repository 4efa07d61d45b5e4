"""What is said on the bus: subjects, and messages of one letter and a compressed page.

cf.req.<domainId>               requests, shared by the domain's agents (queue `agents`)
cf.ans.<agentId>.<requestId>    what an agent says to a request
_INBOX.<agentId>.<requestId>    acknowledgements, back to the agent
cf.hint.<domainId>              something has changed in the domain; no content

Subject tokens are ids: DNS names contain dots.
"""

from __future__ import annotations

import msgspec
import zstandard

from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Page, decode_page, domain_id, encode_page

QUEUE_GROUP = "agents"
ALL_CHANGE_HINTS = "cf.hint.*"
NO_AGENT = "nobody"
"""Stands for the agent where the server itself says that nobody listens."""

_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")

PAGE = b"P"
ACCEPTED = b"A"
KEEP_ALIVE = b"H"

STOP = b"stop"
"""Instead of a sequence number: no more pages are wanted."""

MAX_PAGE_BYTES = 64 * 1024 * 1024
"""Bytes of a page once decompressed; more is no page of ours."""


def request_subject(domain: str) -> str:
    return f"cf.req.{domain_id(domain)}"


def answer_subject(agent: str, request: str) -> str:
    """Return the subject; `*` stands for any agent."""
    return f"cf.ans.{agent}.{require_id(request)}"


def agent_answers_subject(agent: str) -> str:
    return f"cf.ans.{agent}.>"


def change_hint_subject(domain: str) -> str:
    return f"cf.hint.{domain_id(domain)}"


def change_hint_domain(subject: str) -> str:
    """Return the id of the domain that a hint is about."""
    return subject.rsplit(".", 1)[-1]


def acknowledgement_subject(agent: str, request: str) -> str:
    return f"{inbox_subject(agent)}.{require_id(request)}"


def inbox_subject(agent: str) -> str:
    return f"_INBOX.{agent}"


def answering_agent(subject: str) -> str:
    """Return the agent that said it; the bus let it speak only under its own id."""
    return subject.split(".")[2]


def request_id(subject: str) -> str:
    return subject.rsplit(".", 1)[-1]


def require_id(text: str) -> str:
    """Return the id, which must not reach another subject by dots or wildcards."""
    if not text or not _ID.issuperset(text):
        raise Rejected(f"{text!r} can't be the id of a request on the bus.")
    return text


def pack_page(page: Page) -> bytes:
    return PAGE + zstandard.compress(encode_page(page))


def unpack_page(data: bytes) -> Page:
    """Raise Rejected unless it is a page of at most MAX_PAGE bytes."""
    try:
        frame = zstandard.get_frame_parameters(data[1:])
        if frame.content_size > MAX_PAGE_BYTES:
            raise Rejected(
                f"An agent sent a page of {frame.content_size} bytes;"
                f" the most that is taken is {MAX_PAGE_BYTES}."
            )
        text = zstandard.decompress(data[1:], max_output_size=MAX_PAGE_BYTES)
        return decode_page(text)
    except (zstandard.ZstdError, msgspec.MsgspecError, KeyError, TypeError) as error:
        raise Rejected(
            "An agent sent a page that can't be read; is it of another version?"
        ) from error
