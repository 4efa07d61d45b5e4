"""Enrolment by a one-time token, and the proof of identity of an enrolled agent.

The proof is a short-lived JWT (RFC 7519), signed by the certified key, with the
certificate in the header `x5c` (RFC 7515, 4.1.6). It is in the body of a request, so it
passes proxies that end TLS.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Misconfigured, Refused, Unauthenticated
from cloudforest.hybrid.authority import CertificateAuthority, certificate_pem
from cloudforest.hybrid.operators import hash_secret
from cloudforest.model.identity import (
    ASSERTION_ALGORITHM,
    ASSERTION_AUDIENCE,
    EnrolmentToken,
    EnrolRequest,
    EnrolResponse,
    decode_token,
)
from cloudforest.model.ports.identity import IdentityStore

TOKEN_LIFETIME = timedelta(hours=1)
MAX_LIFETIME = timedelta(minutes=5)
CLOCK_SKEW = timedelta(minutes=1)
_CLAIMS = ["aud", "exp", "iat", "iss", "jti"]
_JTI_LENGTH = 64
_FAR_FUTURE = 1 << 34
"""Seconds since 1970: the year 2514, which `datetime` can still represent."""


@dataclass(frozen=True)
class VerifiedAssertion:
    """A valid assertion: the agent, its certificate, and the unique `jti`."""

    agent: str
    certificate: x509.Certificate
    jti: str
    expires: datetime


def verify_assertion(
    assertion: str, authority: CertificateAuthority, now: datetime
) -> VerifiedAssertion:
    """Verify signature, chain, times and audience; the caller remembers `jti`."""
    certificate = _read_certificate(assertion)
    agent = _verify_certificate(certificate, authority, now)
    claims = _verify_claims(assertion, certificate)
    expires, issued = _read_time(claims["exp"]), _read_time(claims["iat"])
    is_valid_now = issued - CLOCK_SKEW <= now < expires + CLOCK_SKEW
    if not is_valid_now or expires - issued > MAX_LIFETIME:
        raise Unauthenticated(
            f"The agent's clock shows {issued:%Y-%m-%d %H:%M:%S} UTC, this host's "
            f"{now:%Y-%m-%d %H:%M:%S} UTC. Set the clocks of both hosts."
        )
    if claims["iss"] != agent or len(claims["jti"]) > _JTI_LENGTH:
        raise Unauthenticated(
            "The assertion names another agent than the one that signed it."
        )
    return VerifiedAssertion(agent, certificate, claims["jti"], expires + CLOCK_SKEW)


def _read_certificate(assertion: str) -> x509.Certificate:
    try:
        chain = jwt.get_unverified_header(assertion)["x5c"]
        return x509.load_der_x509_certificate(base64.b64decode(chain[0]))
    except (jwt.InvalidTokenError, LookupError, TypeError, ValueError) as error:
        raise Unauthenticated(
            "The assertion has no certificate. Is the agent enrolled?"
        ) from error


def _verify_certificate(
    certificate: x509.Certificate, authority: CertificateAuthority, now: datetime
) -> str:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError, TypeError):
        raise Unauthenticated(
            "Another control plane issued the agent's certificate. Enrol the agent "
            "here with `cloudforest agent token NAME`."
        ) from None
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Unauthenticated(
            f"The agent's certificate expired on {certificate.not_valid_after_utc:%F}. "
            "Enrol the agent again with `cloudforest agent token NAME`."
        )
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value)


def _read_time(claim: object) -> datetime:
    if not isinstance(claim, int) or not 0 <= claim < _FAR_FUTURE:
        raise Unauthenticated(
            "The times of the assertion are not in seconds since 1970."
        )
    return datetime.fromtimestamp(claim, UTC)


def _verify_claims(assertion: str, certificate: x509.Certificate) -> dict[str, Any]:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unauthenticated("The agent's certificate is not for a P-256 key.")
    try:
        # The caller checks the times, against its own clock.
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
        raise Unauthenticated(f"Invalid assertion: {error}.") from error


@dataclass(frozen=True)
class EnrolmentService:
    store: IdentityStore
    authority: CertificateAuthority
    clock: Clock

    async def issue_token(self, name: str) -> str:
        """Return a token valid once, for an hour; it replaces an earlier token."""
        agents = await self.store.list_agents()
        record = next((each for each in agents if each.name == name), None)
        if record is None:
            raise Refused(
                f'The agent "{name}" is not registered. Declare it in the tree and run '
                "`cloudforest apply`."
            )
        secret = secrets.token_urlsafe(32)
        hashed, expires = _token_hash(record.id, secret), self.clock() + TOKEN_LIFETIME
        await self.store.save_token(hashed, record.id, expires)
        return EnrolmentToken(
            agent=record.id, secret=secret, fingerprint=self.authority.fingerprint
        ).encode()

    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        """Redeem the token and certify the agent's key."""
        now = self.clock()
        agent = await self._redeem_token(request.token, now)
        certificate = self.authority.issue_agent_certificate(request.csr, agent, now)
        pem = certificate_pem(certificate)
        expires = certificate.not_valid_after_utc
        certified = partial(replace, certificate=pem, certificate_expires=expires)
        if await self.store.update_agent(agent, certified) is None:
            raise Unauthenticated(
                "The agent was removed. Declare it again before you enrol it."
            )
        return EnrolResponse(agent=agent, certificate=pem, ca=self.authority.pem)

    async def _redeem_token(self, text: str, now: datetime) -> str:
        try:
            token = decode_token(text)
        except Misconfigured as error:
            raise Unauthenticated(str(error)) from None
        hashed = _token_hash(token.agent, token.secret)
        agent = await self.store.redeem_token(hashed, now)
        if agent is None:
            raise Unauthenticated(
                "The enrolment token was used or replaced, or is older than an hour. "
                "Get a new one with `cloudforest agent token NAME`."
            )
        return agent


def _token_hash(agent: str, secret: str) -> str:
    return hash_secret(f"{agent}.{secret}")
