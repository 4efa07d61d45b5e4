"""Requests to a SCIM service, and what its answers mean to us.

Why a target gave no answer, in our words.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from cloudforest.base.errors import (
    LockedOut,
    Misconfigured,
    Rejected,
    TargetUnavailable,
)
from cloudforest.model.ports.target import Conflict, Refusal, ResourceNotFound

NO_STATUS = 0
"""The status of a refusal that the service never spoke."""
FIRST_ERROR_STATUS = 400
_SCIM_TYPE = re.compile(r"[A-Za-z]{1,40}")


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """The answer to a request never came, or was a failure of the service.

    `reached` is false when the request can't have been received. `reason` completes
    a sentence that begins with the name of the service.
    """

    def __init__(self, reason: str, *, reached: bool, status: int = NO_STATUS) -> None:
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
    def path_and_query(self) -> str:
        if not self.query:
            return self.path
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}"


@dataclass(frozen=True)
class Answer:
    """`document` is empty if there is no body; None if it is not a JSON object."""

    status: int
    document: dict[str, Any] | None = field(default_factory=dict)


def read_document(body: bytes) -> dict[str, Any] | None:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _describe_status(answer: Answer) -> str:
    # The detail of an error may quote the object; its scimType is a keyword.
    found = (answer.document or {}).get("scimType")
    known = isinstance(found, str) and _SCIM_TYPE.fullmatch(found)
    return f"{answer.status} {found}" if known else str(answer.status)


def make_not_scim_error(label: str, what: str) -> Rejected:
    """Return the error for `what` a service answered, which no SCIM service does."""
    return Rejected(
        f"{label} answered {what}; check that its URL is the base URL of a SCIM 2.0"
        " service."
    )


def _require_document(answer: Answer, label: str, request: str) -> dict[str, Any]:
    if answer.document is None:
        # Like the page to sign in at that a proxy has for everything.
        raise make_not_scim_error(
            label, f"{request} with something that is not a JSON object"
        )
    return answer.document


def require_success(answer: Answer, label: str, request: str) -> dict[str, Any]:
    """Return the document if the answer is a yes; `request` is like `PATCH User`.

    Raises what the answer says about one object.
    """
    if answer.status < FIRST_ERROR_STATUS:
        return _require_document(answer, label, request)
    sentence = f"{label} answered {_describe_status(answer)} to {request}."
    match answer.status:
        case 404:
            raise ResourceNotFound(answer.status, sentence)
        case 409:
            raise Conflict(answer.status, sentence)
        case _:
            raise Refusal(answer.status, sentence)


def require_service_success(answer: Answer, label: str, request: str) -> dict[str, Any]:
    """Return the document if the answer is a yes; a no is of the whole service."""
    if answer.status < FIRST_ERROR_STATUS:
        return _require_document(answer, label, request)
    raise make_not_scim_error(label, f"{_describe_status(answer)} to {request}")


def require_accepted_credential(
    answer: Answer, label: str, target: str, *, refused_statuses: frozenset[int]
) -> None:
    """Raise LockedOut if the service does not let us in: these statuses say so."""
    if answer.status in refused_statuses:
        raise LockedOut(
            f"{label} does not let us in (it answered {answer.status}); check `auth` of"
            f" Target {target}."
        )


def refuse_redirect(status: int, label: str) -> None:
    """Raise Rejected for a redirection: a credential is not carried elsewhere."""
    if status // 100 == 3:  # noqa: PLR2004 - the class of a status
        raise Rejected(
            f"{label} answered with a redirection ({status}); write the URL where the"
            " service itself answers."
        )


_ALERT = "_ALERT_"
_CERTIFICATE_ALERTS = (
    "CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "HANDSHAKE_FAILURE",
)
"""Before TLS 1.3, a certificate that is missing is a failed handshake."""


@contextmanager
def translate_network_errors(
    label: str, timeout: float, *, target: str, has_client_certificate: bool = False
) -> Iterator[None]:
    """Say in our words why there is no answer; `shows`: a client certificate is shown.

    TLS 1.3 refuses it after the handshake, and why is often lost with the connection.
    """
    try:
        with _translate_tls_alerts(label, target):
            yield
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Misconfigured(
            f"{label} has an URL that can't be used; write for example"
            " https://scim.example.com/v2."
        ) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise TargetUnavailable(
            f"{label} shows a certificate that is not trusted; install its authority"
            " on this machine."
        ) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unanswered("can't be reached", reached=False) from error
    except TimeoutError as error:
        reason = f"did not answer within {timeout:g} s"
        raise Unanswered(reason, reached=True) from error
    except aiohttp.ClientError as error:
        perhaps = (
            f" (perhaps over `auth.mtls` of Target {target})"
            if has_client_certificate
            else ""
        )
        reason = f"closed the connection without an answer{perhaps}"
        raise Unanswered(reason, reached=True) from error


@contextmanager
def _translate_tls_alerts(label: str, target: str) -> Iterator[None]:
    """Raise LockedOut if TLS says that our certificate is missing, or no good."""
    try:
        yield
    except aiohttp.ClientOSError as error:
        cause = error.__cause__
        reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
        _, alert, said = reason.partition(_ALERT)
        if not alert or not any(each in said for each in _CERTIFICATE_ALERTS):
            raise
        raise LockedOut(
            f"{label} does not let us in (its TLS says"
            f" {said.replace('_', ' ').lower()}); check `auth` of Target {target}: it"
            " may want another client certificate (`mtls`)."
        ) from error
