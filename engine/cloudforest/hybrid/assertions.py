"""An agent's proof of itself: a short-lived JWT signed by its certified key.

It travels in the body, so it also passes proxies that end TLS. RFC 7519; the
certificate is in the header `x5c` (RFC 7515, 4.1.6).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloudforest.base.errors import Unauthenticated
from cloudforest.hybrid.authority import Authority
from cloudforest.model.enrolment import ASSERTION_ALGORITHM, ASSERTION_AUDIENCE

LONGEST = timedelta(minutes=5)
SKEW = timedelta(minutes=1)
_CLAIMS = ["aud", "exp", "iat", "iss", "jti"]
_JTI_LENGTH = 64
_FAR_FUTURE = 1 << 34
"""Seconds: the year 2514, before dates end."""


@dataclass(frozen=True)
class Proof:
    """A valid assertion: who, with which certificate, and what makes it unique."""

    agent: str
    certificate: x509.Certificate
    jti: str
    expires: datetime


def verify(assertion: str, authority: Authority, now: datetime) -> Proof:
    """Check signature, chain, times and audience; `jti` is the caller's to remember."""
    certificate = _certificate(assertion)
    agent = _trusted_name(certificate, authority, now)
    claims = _claims(assertion, certificate)
    expires, issued = _time(claims["exp"]), _time(claims["iat"])
    if not issued - SKEW <= now < expires + SKEW or expires - issued > LONGEST:
        raise Unauthenticated(
            f"The agent's assertion is of {issued:%Y-%m-%d %H:%M:%S} UTC and here it is"
            f" {now:%Y-%m-%d %H:%M:%S} UTC; set the clocks of both hosts."
        )
    if claims["iss"] != agent or len(claims["jti"]) > _JTI_LENGTH:
        raise Unauthenticated("The assertion is not about the agent that signed it.")
    return Proof(agent, certificate, claims["jti"], expires + SKEW)


def _certificate(assertion: str) -> x509.Certificate:
    try:
        chain = jwt.get_unverified_header(assertion)["x5c"]
        return x509.load_der_x509_certificate(base64.b64decode(chain[0]))
    except (jwt.InvalidTokenError, LookupError, TypeError, ValueError) as error:
        raise Unauthenticated(
            "The assertion carries no certificate; is the agent enrolled?"
        ) from error


def _trusted_name(
    certificate: x509.Certificate, authority: Authority, now: datetime
) -> str:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError, TypeError):
        raise Unauthenticated(
            "The agent's certificate is of another control plane; enrol it here with"
            " `cloudforest agent token NAME`."
        ) from None
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Unauthenticated(
            f"The agent's certificate ended on {certificate.not_valid_after_utc:%F};"
            " enrol it again with `cloudforest agent token NAME`."
        )
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value)


def _time(claim: object) -> datetime:
    if not isinstance(claim, int) or not 0 <= claim < _FAR_FUTURE:
        raise Unauthenticated("The assertion's times are not in seconds since 1970.")
    return datetime.fromtimestamp(claim, UTC)


def _claims(assertion: str, certificate: x509.Certificate) -> dict[str, Any]:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unauthenticated("The agent's certificate is not for a P-256 key.")
    try:
        # Times are checked against our clock, not against the library's.
        return jwt.decode(
            assertion,
            key,
            algorithms=[ASSERTION_ALGORITHM],
            audience=ASSERTION_AUDIENCE,
            options={
                "require": _CLAIMS,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidTokenError as error:
        raise Unauthenticated(f"The assertion is not valid ({error}).") from error
