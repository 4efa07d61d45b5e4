"""The store of registrations, agents and operators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from cloudforest.model.identity import AgentRecord, AuditRecord, Operator
from cloudforest.model.registration import Registration, Revision


class RegistrationStore(Protocol):
    async def load_registration(self) -> tuple[int, Registration | None]:
        """Return the latest revision (0: none) and its registration."""

    async def load_revision(self, number: int) -> Revision | None:
        """Return a revision; every revision is kept."""

    async def register(
        self,
        registration: Registration,
        *,
        base: int,
        operator: str,
        now: datetime,
        detail: str = "",
    ) -> int:
        """Store the next revision and its audit record; `detail` is added to that.

        Raises Stale unless `base` is the latest revision.

        The same transaction gives each agent its record, renames stored data (see
        `model.renames`), and deletes the data of agents, jobs and targets that are no
        longer registered, except cycles and log.
        """


class IdentityStore(Protocol):
    async def list_agents(self) -> list[AgentRecord]: ...

    async def update_agent(
        self, agent: str, change: Callable[[AgentRecord], AgentRecord]
    ) -> AgentRecord | None:
        """Change the agent with this id in one transaction; None if it is unknown."""

    async def save_token(self, token_hash: str, agent: str, expires: datetime) -> None:
        """Store a one-time enrolment token; it replaces the agent's previous one."""

    async def redeem_token(self, token_hash: str, now: datetime) -> str | None:
        """Return the agent's id and delete the token; None if the token is invalid."""

    async def remember_jti(self, jti: str, expires: datetime, now: datetime) -> bool:
        """Return whether the assertion id is new; delete the expired ones."""

    async def save_operator(self, operator: Operator, token_hash: str) -> None: ...

    async def find_operator(self, token_hash: str) -> Operator | None: ...

    async def save_audit_record(self, record: AuditRecord) -> None: ...

    async def list_audit_records(
        self, *, after: int, limit: int
    ) -> list[tuple[int, AuditRecord]]:
        """Return the first records with a number above `after`, in order."""
