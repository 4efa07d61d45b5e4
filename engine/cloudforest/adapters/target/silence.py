"""Why a target gave no answer, in our words."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from cloudforest.adapters.target.answers import Unanswered
from cloudforest.base.errors import LockedOut, Misconfigured, TargetUnavailable

_ALERT = "_ALERT_"
_ABOUT_US = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
"""Before TLS 1.3, a certificate that is missing is a failed handshake."""


@contextmanager
def spoken(
    place: str, timeout: float, *, target: str, shows: bool = False
) -> Iterator[None]:
    """Say in our words why there is no answer; `shows`: a client certificate is shown.

    TLS 1.3 refuses it after the handshake, and why is often lost with the connection.
    """
    try:
        with _let_in(place, target):
            yield
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise Misconfigured(
            f"{place} has an URL that can't be used; write for example"
            " https://scim.example.com/v2."
        ) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise TargetUnavailable(
            f"{place} shows a certificate that is not trusted; install its authority"
            " on this machine."
        ) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unanswered("can't be reached", reached=False) from error
    except TimeoutError as error:
        reason = f"did not answer within {timeout:g} s"
        raise Unanswered(reason, reached=True) from error
    except aiohttp.ClientError as error:
        perhaps = f" (perhaps over `auth.mtls` of Target {target})" if shows else ""
        reason = f"closed the connection without an answer{perhaps}"
        raise Unanswered(reason, reached=True) from error


@contextmanager
def _let_in(place: str, target: str) -> Iterator[None]:
    """Raise LockedOut if TLS says that our certificate is missing, or no good."""
    try:
        yield
    except aiohttp.ClientOSError as error:
        cause = error.__cause__
        reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
        _, alert, said = reason.partition(_ALERT)
        if not alert or not any(each in said for each in _ABOUT_US):
            raise
        raise LockedOut(
            f"{place} does not let us in (its TLS says"
            f" {said.replace('_', ' ').lower()}); check `auth` of Target {target}: it"
            " may want another client certificate (`mtls`)."
        ) from error
