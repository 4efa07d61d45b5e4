"""Requests to a SCIM service, and what its answers mean to us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from cloudforest.base.errors import Rejected, Unavailable
from cloudforest.model.outcomes import Conflict, NotThere, Refusal

NO_ANSWER = 0
"""The status of a refusal that the service never spoke."""
FIRST_ERROR = 400
_SCIM_TYPE = re.compile(r"[A-Za-z]{1,40}")


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """The answer to a request never came, or was a failure of the service.

    `reached` is false when the request can't have been received. `reason` completes
    a sentence that begins with the name of the service.
    """

    def __init__(self, reason: str, *, reached: bool, status: int = NO_ANSWER) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reached = reached
        self.status = status


@dataclass(frozen=True)
class Request:
    """`path` is relative to the base URL, its parts quoted."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    @property
    def target(self) -> str:
        if not self.query:
            return self.path
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}"


@dataclass(frozen=True)
class Answer:
    """`document` is empty if the body is not a JSON object."""

    status: int
    document: dict[str, Any] = field(default_factory=dict)


def read_document(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _kind(answer: Answer) -> str:
    # The detail of an error may quote the object; its scimType is a keyword.
    found = answer.document.get("scimType")
    known = isinstance(found, str) and _SCIM_TYPE.fullmatch(found)
    return f"{answer.status} {found}" if known else str(answer.status)


def judge(answer: Answer, place: str, request: str) -> Answer:
    """Return the answer if it is a yes; `request` is like `PATCH User`.

    Raises what the answer says about one object.
    """
    if answer.status < FIRST_ERROR:
        return answer
    sentence = f"{place} answered {_kind(answer)} to {request}."
    match answer.status:
        case 404:
            raise NotThere(answer.status, sentence)
        case 409:
            raise Conflict(answer.status, sentence)
        case _:
            raise Refusal(answer.status, sentence)


def judge_service(answer: Answer, place: str, request: str) -> Answer:
    """Return the answer if it is a yes; otherwise the service as a whole says no."""
    if answer.status < FIRST_ERROR:
        return answer
    raise Rejected(
        f"{place} answered {_kind(answer)} to {request}; check that its URL is the base"
        " URL of a SCIM 2.0 service."
    )


def let_in(status: int, place: str, target: str) -> None:
    """Raise Unavailable if the service does not let us in."""
    if status in {401, 403}:
        raise Unavailable(
            f"{place} does not let us in (it answered {status}); check `auth` of"
            f" Target {target}."
        )


def same_place(status: int, place: str) -> None:
    """Raise Rejected for a redirection: a credential is not carried elsewhere."""
    if status // 100 == 3:  # noqa: PLR2004 - the class of a status
        raise Rejected(
            f"{place} answered with a redirection ({status}); write the URL where the"
            " service itself answers."
        )
