"""One object through a job, on demand: explained, or provisioned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cloudforest.base.errors import Unavailable
from cloudforest.control_plane.runs import Runs
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Operator
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import RegistrationStore
from cloudforest.model.registration import Registration
from cloudforest.provisioning.explanation.explain import explain
from cloudforest.provisioning.on_demand import provision
from cloudforest.provisioning.run import Run


async def registered(store: RegistrationStore) -> Registration:
    """Return what is registered; raises Unavailable before the first `apply`."""
    _, registration = await store.registration()
    if registration is None:
        raise Unavailable("Nothing is registered yet; run `cloudforest apply`.")
    return registration


def required(bus: AgentBus | None) -> AgentBus:
    if bus is None:
        raise Unavailable("This control plane has no bus; run `cloudforest serve`.")
    return bus


@dataclass(frozen=True)
class Objects:
    """`bus` is None where no agent can be asked."""

    runs: Runs
    registrations: RegistrationStore
    operators: Operators
    bus: AgentBus | None

    @asynccontextmanager
    async def _run(self, job: str) -> AsyncIterator[Run]:
        registration = await registered(self.registrations)
        bus = required(self.bus)
        async with self.runs.prepared(job, registration, bus) as run:
            yield run

    async def explain(self, job: str, lookup: Lookup) -> dict[str, Any]:
        async with self._run(job) as run:
            return await explain(run, lookup)

    async def provision(
        self, job: str, lookup: Lookup, operator: Operator
    ) -> dict[str, Any]:
        """Write one object; raises Busy while a cycle of the job runs."""
        await self.operators.audit(operator, "provision", f"{job} {lookup.value}")
        async with self._run(job) as run:
            return await provision(run, lookup, self.runs.turns)
