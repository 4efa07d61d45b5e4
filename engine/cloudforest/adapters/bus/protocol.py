"""Subjects and messages of the bus: one letter, or `P` and a compressed page.

cf.req.<domainId>               requests, shared by the domain's agents (queue `agents`)
cf.ans.<agentId>.<requestId>    an agent's answer to a request
_INBOX.<agentId>.<requestId>    acknowledgements, back to the agent
cf.hint.<domainId>              change hints for the domain; empty

Subject tokens are ids, because DNS names contain dots.
"""

from __future__ import annotations

import msgspec
import zstandard

from cloudforest.base.errors import Interrupted, Rejected, Unavailable
from cloudforest.model.messages import (
    PAGE_BYTES,
    Page,
    decode_page,
    domain_id,
    encode_page,
)

QUEUE_GROUP = "agents"
ALL_CHANGE_HINTS = "cf.hint.*"
NO_AGENT = "nobody"
"""Stands for the agent when the server itself reports that nobody listens."""

_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")

PAGE = b"P"
ACCEPTED = b"A"
KEEP_ALIVE = b"H"

STOP = b"stop"
"""Sent instead of a sequence number: stop sending pages."""

MAX_PAGE_BYTES = 4 * PAGE_BYTES
"""The size limit of a page after decompression."""


def request_subject(domain: str) -> str:
    return f"cf.req.{domain_id(domain)}"


def answer_subject(agent: str, request: str) -> str:
    """Return the subject; `*` stands for any agent."""
    return f"cf.ans.{agent}.{require_id(request)}"


def change_hint_subject(domain: str) -> str:
    return f"cf.hint.{domain_id(domain)}"


def acknowledgement_subject(agent: str, request: str) -> str:
    return f"{inbox_subject(agent)}.{require_id(request)}"


def inbox_subject(agent: str) -> str:
    return f"_INBOX.{agent}"


def answering_agent(subject: str) -> str:
    """Return the agent that sent the message; the bus enforces that the id is its."""
    return subject.split(".")[2]


def last_id(subject: str) -> str:
    """Return the id of the request, or of the domain of a hint."""
    return subject.rsplit(".", 1)[-1]


def require_id(text: str) -> str:
    """Return the id; raise Rejected if it holds dots or wildcards of subjects."""
    if not text or not _ID.issuperset(text):
        raise Rejected(
            f'"{text}" is not a valid request id. Use letters, digits, "-" and "_".'
        )
    return text


def pack_page(page: Page) -> bytes:
    return PAGE + zstandard.compress(encode_page(page))


def unpack_page(data: bytes) -> Page:
    """Return the page; raise Rejected if it is malformed or over MAX_PAGE_BYTES."""
    try:
        frame = zstandard.get_frame_parameters(data[1:])
        if frame.content_size > MAX_PAGE_BYTES:
            raise Rejected(
                f"An agent sent a page of {frame.content_size} bytes."
                f" The limit is {MAX_PAGE_BYTES}."
            )
        return decode_page(
            zstandard.decompress(data[1:], max_output_size=MAX_PAGE_BYTES)
        )
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise Rejected(
            "An agent sent a page that cannot be read. Check that the agent and the"
            " control plane have the same version."
        ) from error


def make_no_agent_error(domain: str) -> Unavailable:
    return Unavailable(
        f"No agent of the domain {domain} is connected. `cloudforest status` lists the"
        " agents; `cloudforest agent run NAME` starts one."
    )


def make_interrupted_error(cause: str, domain: str, pages: int) -> Interrupted:
    """Return the error for an answer that ended early; `cause` says what happened."""
    count = "1 page" if pages == 1 else f"{pages} pages"
    return Interrupted(
        f"{cause} in the middle of its answer about {domain}, after {count}. The rest"
        " is requested again."
    )
