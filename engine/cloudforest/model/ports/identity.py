"""The store of registrations, agents and operators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from cloudforest.model.identity import AgentRecord, AuditRecord, Operator
from cloudforest.model.registration import Registration, Revision


class RegistrationStore(Protocol):
    async def load_registration(self) -> tuple[int, Registration | None]:
        """Return the revision (0: nothing registered) and what is registered."""
        ...

    async def load_revision(self, number: int) -> Revision | None:
        """Return what was registered then; every revision is kept."""
        ...

    async def register(
        self,
        registration: Registration,
        *,
        base: int,
        operator: str,
        now: datetime,
        detail: str = "",
    ) -> int:
        """Store it as the next revision, and that in the audit; `detail` says of what.

        Raises Stale unless `base` is the latest.

        In the same transaction each agent gets its record, what is kept under a name
        is renamed (see `model.renames`), and what was kept for an agent, a job or a
        target that is gone is forgotten, cycles and log excepted.
        """
        ...


class IdentityStore(Protocol):
    async def list_agents(self) -> list[AgentRecord]: ...

    async def update_agent(
        self, agent: str, change: Callable[[AgentRecord], AgentRecord]
    ) -> AgentRecord | None:
        """Change the agent with this id in one transaction; None if there is none."""
        ...

    async def save_token(self, token_hash: str, agent: str, expires: datetime) -> None:
        """Keep a one-time enrolment token; an agent has at most one."""
        ...

    async def redeem_token(self, token_hash: str, now: datetime) -> str | None:
        """Return the agent's id and forget the token, or None if it is not valid."""
        ...

    async def remember_jti(self, jti: str, expires: datetime, now: datetime) -> bool:
        """Return whether it is new; forget those that have expired."""
        ...

    async def save_operator(self, operator: Operator, token_hash: str) -> None: ...

    async def find_operator(self, token_hash: str) -> Operator | None: ...

    async def save_audit_record(
        self, *, time: datetime, operator: str, action: str, detail: str
    ) -> None: ...

    async def list_audit_records(
        self, *, after: int, limit: int
    ) -> list[tuple[int, AuditRecord]]:
        """Return the first records with higher numbers, in order."""
        ...
