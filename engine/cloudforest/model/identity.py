"""Agents and operators: roles, the enrolment token, and the messages of bootstrap."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value
from cloudforest.model.registration import Agent, Domain

Role = Literal["read", "plan", "apply", "allow"]
ROLES: tuple[Role, ...] = ("read", "plan", "apply", "allow")
AgentState = Literal["pending", "active", "inactive"]


def has_permission(role: Role, needed: Role) -> bool:
    """Tell whether a role includes another: read < plan < apply < allow."""
    return ROLES.index(role) >= ROLES.index(needed)


def sees_values(role: Role) -> bool:
    """Tell whether a role sees names and values; `plan`, for pipelines, does not."""
    return role != "plan"


class Operator(Value, frozen=True):
    name: str
    role: Role


class AuditRecord(Value, frozen=True):
    """One action of an operator, with a description of its object; never changed."""

    time: datetime
    operator: str
    action: str
    detail: str


class AgentRecord(Value, frozen=True):
    """An agent as the hybrid identity service knows it; `certificate` is PEM.

    `troubles` maps each domain that the agent cannot serve to the reason, a sentence.
    None: the agent has not checked its domains yet.
    """

    id: str
    name: str
    domains: tuple[str, ...]
    certificate: str | None = None
    certificate_expires: datetime | None = None
    last_bootstrap: datetime | None = None
    version: str | None = None
    troubles: dict[str, str] | None = None


def digest_certificate(pem: str) -> str:
    """Return the SHA-256 of the PEM text, which identifies the certificate."""
    return hashlib.sha256(pem.encode()).hexdigest()


class EnrolRequest(Value, frozen=True):
    """A one-time token and a certificate signing request (PEM)."""

    token: str
    csr: str


class EnrolResponse(Value, frozen=True):
    """The agent's id, and certificates (PEM); the token's fingerprint must fit `ca`."""

    agent: str
    certificate: str
    ca: str


class BusAccess(Value, frozen=True):
    """Access to the bus until `expires`; `jwt` is valid for the agent's NKEY only."""

    urls: tuple[str, ...]
    ca: str
    jwt: str
    expires: datetime


class BootstrapRequest(Value, frozen=True):
    """An agent's proof of identity, and its state.

    `assertion` is a JWT signed by the agent's key; `nkey` is its public bus key. `csr`
    (PEM) requests a new certificate for the same key, before the old one expires. For
    `troubles` see `AgentRecord`.
    """

    assertion: str
    nkey: str
    version: str
    troubles: dict[str, str] | None = None
    csr: str | None = None


class BootstrapResponse(Value, frozen=True):
    """Configuration and bus access, without secrets.

    `credentials` maps a domain to the *name* of the credential for its bind. The
    agent's host binds that name to a secret. `certificate` (PEM) answers a `csr`.
    """

    agent: Agent
    domains: tuple[Domain, ...]
    credentials: dict[str, str]
    bus: BusAccess
    certificate: str | None = None


ASSERTION_ALGORITHM = "ES256"
ASSERTION_AUDIENCE = "urn:cloudforest:2.0:bootstrap"
ASSERTION_SECONDS = 60

_PREFIX = "cfe1."


class EnrolmentToken(Value, frozen=True):
    """A one-time token.

    `fingerprint` is the SHA-256 of the CA's DER certificate, in hexadecimal.
    """

    agent: str
    secret: str
    fingerprint: str

    def encode(self) -> str:
        return _PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()

    def __repr__(self) -> str:
        return f"EnrolmentToken(agent={self.agent!r})"


def decode_token(text: str) -> EnrolmentToken:
    """Decode a token; raise Misconfigured if it is not one."""
    try:
        data = base64.urlsafe_b64decode(text.strip().removeprefix(_PREFIX))
        return msgspec.json.decode(data, type=EnrolmentToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Misconfigured(
            "Invalid enrolment token. Copy the whole token, or create a new one with"
            " `cloudforest agent token NAME`."
        ) from None
