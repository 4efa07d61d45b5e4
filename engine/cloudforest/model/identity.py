"""Who may do what: agents, operators, and what bootstrap tells an agent.

How an agent proves itself: the one-time token, and the words of its assertions.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Literal

import msgspec

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import Value
from cloudforest.model.registration import Agent, Domain

Role = Literal["read", "plan", "apply", "allow"]
ROLES: tuple[Role, ...] = ("read", "plan", "apply", "allow")
AgentState = Literal["pending", "active", "inactive"]


def has_permission(held: Role, needed: Role) -> bool:
    """Roles are ordered: read < plan < apply < allow."""
    return ROLES.index(held) >= ROLES.index(needed)


def sees_values(role: Role) -> bool:
    """Tell whether names and values of people are shown; `plan` is for pipelines."""
    return role != "plan"


class Operator(Value, frozen=True):
    name: str
    role: Role


class AuditRecord(Value, frozen=True):
    """What an operator had done: what and to what, in words; never changed."""

    time: datetime
    operator: str
    action: str
    detail: str


class AgentRecord(Value, frozen=True):
    """An agent as the hybrid identity service knows it; `certificate` is PEM.

    `troubles` says of each domain that it can't serve, in a sentence, why; None: the
    agent has not looked at its domains yet.
    """

    id: str
    name: str
    domains: tuple[str, ...]
    certificate: str | None = None
    certificate_expires: datetime | None = None
    last_bootstrap: datetime | None = None
    version: str | None = None
    troubles: dict[str, str] | None = None


class EnrolRequest(Value, frozen=True):
    """What an agent sends once, with its one-time token: a PEM signing request."""

    token: str
    csr: str


class EnrolResponse(Value, frozen=True):
    """PEM texts; `ca` must match the fingerprint in the token."""

    agent: str
    certificate: str
    ca: str


class BusAccess(Value, frozen=True):
    """How to reach the bus until `expires`. `jwt` is for the agent's own NKEY."""

    urls: tuple[str, ...]
    ca: str
    jwt: str
    expires: datetime


class BootstrapRequest(Value, frozen=True):
    """`assertion` is a JWT signed by the agent's key; `nkey` its public bus key.

    `troubles` is as in `AgentRecord`. `csr` (PEM) asks for a new certificate of the
    same key, before the old one ends.
    """

    assertion: str
    nkey: str
    version: str
    troubles: dict[str, str] | None = None
    csr: str | None = None


class BootstrapResponse(Value, frozen=True):
    """Configuration and bus access; secrets appear as names only.

    `credentials` maps a domain to the credential *name* that its bind uses; what the
    name stands for is bound on the agent's host. `certificate` (PEM) answers a `csr`.
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
    """`fingerprint` is the SHA-256 of the CA's DER certificate, in hexadecimal."""

    agent: str
    secret: str
    fingerprint: str

    def encode(self) -> str:
        return _PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()

    def __repr__(self) -> str:
        return f"EnrolmentToken(agent={self.agent!r})"


def decode_token(text: str) -> EnrolmentToken:
    try:
        data = base64.urlsafe_b64decode(text.strip().removeprefix(_PREFIX))
        return msgspec.json.decode(data, type=EnrolmentToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Misconfigured(
            "That is not an enrolment token; get a new one with"
            " `cloudforest agent token NAME` and copy all of it."
        ) from None
