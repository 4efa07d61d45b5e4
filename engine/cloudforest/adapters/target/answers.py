"""Requests to a SCIM service, and the errors that its answers, or none, stand for."""

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
"""The status of a refusal without an answer of the service."""
FIRST_ERROR_STATUS = 400
_SCIM_TYPE = re.compile(r"[A-Za-z]{1,40}")

_ALERT = "_ALERT_"
_CERTIFICATE_ALERTS = (
    "CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "HANDSHAKE_FAILURE",
)
"""Before TLS 1.3, a missing certificate is a failed handshake."""


class Unanswered(Exception):  # noqa: N818 - named for what happened
    """A request got no answer, or the service failed.

    `reached` is false if the service can't have received the request. `reason`
    completes a sentence that begins with the name of the service.
    """

    def __init__(self, reason: str, *, reached: bool, status: int = NO_STATUS) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reached = reached
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request; `path` is relative to the base URL, with its parts quoted."""

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
    """An answer; `document` is empty without a body, None if not a JSON object."""

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
    # The error's detail may quote the object; its scimType is a keyword.
    scim_type = (answer.document or {}).get("scimType")
    is_keyword = isinstance(scim_type, str) and _SCIM_TYPE.fullmatch(scim_type)
    return f"{answer.status} {scim_type}" if is_keyword else str(answer.status)


def make_not_scim_error(label: str, what: str) -> Rejected:
    """Return the error for an answer that no SCIM service gives."""
    return Rejected(
        f"{label} answered {what}. Check that its URL is the base URL of a SCIM 2.0"
        " service."
    )


def _require_document(answer: Answer, label: str, request: str) -> dict[str, Any]:
    if answer.document is None:
        # For example the sign-in page of a proxy.
        what = f"{request} with something that is not a JSON object"
        raise make_not_scim_error(label, what)
    return answer.document


def require_success(answer: Answer, label: str, request: str) -> dict[str, Any]:
    """Return the document of a success; `request` is a text like `PATCH User`.

    Any other answer counts as the outcome of one object. Raises ResourceNotFound,
    Conflict or Refusal.
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
    """Return the document of a success; any other answer is the service's failure."""
    if answer.status < FIRST_ERROR_STATUS:
        return _require_document(answer, label, request)
    raise make_not_scim_error(label, f"{_describe_status(answer)} to {request}")


def require_accepted_credential(
    answer: Answer, label: str, target: str, *, refused_statuses: frozenset[int]
) -> None:
    """Raise LockedOut if the service rejected our credentials with such a status."""
    if answer.status in refused_statuses:
        raise LockedOut(
            f"{label} rejected our credentials ({answer.status}). Check `auth` of"
            f' Target "{target}".'
        )


def refuse_redirect(status: int, label: str) -> None:
    """Raise Rejected for a redirect: credentials are never sent to another address."""
    if status // 100 == 3:  # noqa: PLR2004 - the class of a status
        raise Rejected(
            f"{label} answered with a redirect ({status}). Set the final URL of the"
            " service."
        )


@contextmanager
def translate_silence(timeout: float, *, hint: str = "") -> Iterator[None]:
    """Raise Unanswered for a failed connection; `timeout` is in seconds.

    Errors about the URL or the server's certificate pass unchanged.
    """
    try:
        yield
    except (aiohttp.InvalidURL, aiohttp.ClientConnectorCertificateError):
        raise
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unanswered("can't be reached", reached=False) from error
    except TimeoutError as error:
        reason = f"did not answer within {timeout:g} s"
        raise Unanswered(reason, reached=True) from error
    except aiohttp.ClientError as error:
        reason = f"closed the connection without an answer{hint}"
        raise Unanswered(reason, reached=True) from error


@contextmanager
def _translate_tls_alerts(label: str, target: str) -> Iterator[None]:
    """Raise LockedOut if a TLS alert says that our certificate is missing or wrong."""
    try:
        yield
    except aiohttp.ClientOSError as error:
        cause = error.__cause__
        reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
        _, alert, name = reason.partition(_ALERT)
        if not alert or not any(each in name for each in _CERTIFICATE_ALERTS):
            raise
        raise LockedOut(
            f"{label} rejected our credentials (TLS alert"
            f" {name.replace('_', ' ').lower()}). Check `auth` of Target"
            f' "{target}": it may need another client certificate (`mtls`).'
        ) from error


@contextmanager
def translate_network_errors(
    label: str, timeout: float, *, target: str, has_client_certificate: bool = False
) -> Iterator[None]:
    """Raise our errors for a failed request; `timeout` is in seconds.

    TLS 1.3 rejects a client certificate after the handshake, and the reason is often
    lost with the connection.
    """
    hint = f' (possibly because of `auth.mtls` of Target "{target}")'
    try:
        with (
            translate_silence(timeout, hint=hint if has_client_certificate else ""),
            _translate_tls_alerts(label, target),
        ):
            yield
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Misconfigured(
            f"{label} has an invalid URL. Write, for example,"
            " https://scim.example.com/v2."
        ) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise TargetUnavailable(
            f"{label} has a certificate that is not trusted. Install its CA on this"
            " machine."
        ) from error
