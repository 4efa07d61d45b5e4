"""Who may do what: agents, operators, and what bootstrap tells an agent."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from cloudforest.model.registration import Agent, Domain
from cloudforest.model.value import Value

Role = Literal["read", "plan", "apply", "allow"]
ROLES: tuple[Role, ...] = ("read", "plan", "apply", "allow")
AgentState = Literal["pending", "active", "inactive"]


def permits(held: Role, needed: Role) -> bool:
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
