"""Explains or provisions one object of a job on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cloudforest.base.errors import Unavailable
from cloudforest.control_plane.runs import JobRunner
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Operator
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import RegistrationStore
from cloudforest.model.registration import Registration
from cloudforest.provisioning.cycle import provision_on_demand
from cloudforest.provisioning.explanation.explain import explain_object
from cloudforest.provisioning.run import CycleContext


async def require_registration(store: RegistrationStore) -> Registration:
    """Return the registration; raise Unavailable before the first `apply`."""
    _, registration = await store.load_registration()
    if registration is None:
        raise Unavailable("Nothing is registered yet. Run `cloudforest apply`.")
    return registration


def require_bus(bus: AgentBus | None) -> AgentBus:
    if bus is None:
        raise Unavailable(
            "This control plane has no service bus, so no agent can be asked. "
            "Run `cloudforest serve`."
        )
    return bus


@dataclass(frozen=True)
class ObjectService:
    """Explains and provisions; without a `bus` no agent can be asked."""

    runner: JobRunner
    registrations: RegistrationStore
    operators: Operators
    bus: AgentBus | None

    @asynccontextmanager
    async def _open_context(self, job: str) -> AsyncIterator[CycleContext]:
        registration = await require_registration(self.registrations)
        bus = require_bus(self.bus)
        async with self.runner.open_context(job, registration, bus) as run:
            yield run

    async def explain(self, job: str, lookup: Lookup) -> dict[str, Any]:
        async with self._open_context(job) as run:
            return await explain_object(run, lookup)

    async def provision(
        self, job: str, lookup: Lookup, operator: Operator
    ) -> dict[str, Any]:
        """Write one object; raise Busy while a cycle of the job runs."""
        await self.operators.audit(operator, "provision", f"{job} {lookup.value}")
        async with self._open_context(job) as run:
            return await provision_on_demand(run, lookup, self.runner.locks)
