"""The control plane: registration, agents and jobs, over the machines of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.base.logs import report
from cloudforest.control_plane import shapes
from cloudforest.control_plane.impact import Impacts
from cloudforest.control_plane.jobs import Steering, Watching
from cloudforest.control_plane.notices import Notices
from cloudforest.control_plane.objects import Objects, registered, required
from cloudforest.control_plane.runs import Runs
from cloudforest.control_plane.stages import Decisions
from cloudforest.hybrid.bootstrap import Bootstrap
from cloudforest.hybrid.enrolment import Enrolment
from cloudforest.hybrid.operators import Operators
from cloudforest.model.cycles import Cycle
from cloudforest.model.identity import AgentRecord, Operator
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Registration
from cloudforest.model.renames import jobs_to_hold
from cloudforest.provisioning.run import Progress, silent
from cloudforest.provisioning.scheduler import Retention, Scheduler

_AWAIT_SECONDS = 30.0
_POLL_SECONDS = 0.1

T = TypeVar("T")

log = structlog.get_logger()


@dataclass
class ControlPlane:
    """`bus` is None where no agent can be asked."""

    registrations: RegistrationStore
    identities: IdentityStore
    provisioning: ProvisioningStore
    enrolment: Enrolment
    bootstrapping: Bootstrap
    operators: Operators
    runs: Runs
    impacts: Impacts
    decisions: Decisions
    notices: Notices
    objects: Objects
    steering: Steering
    watching: Watching
    clock: Clock
    bus: AgentBus | None = None
    scheduler: Scheduler | None = None
    _kept: set[asyncio.Task[Any]] = field(default_factory=set)

    # --- registration ----------------------------------------------------------------

    async def register(
        self,
        registration: Registration,
        *,
        base: int,
        operator: Operator,
        detail: str = "",
    ) -> int:
        _, registered = await self.registrations.registration()
        # A cycle that reads the registration afterwards finds it changed; one that
        # has read it takes its job's turn at once, and is seen here.
        with self.runs.held(jobs_to_hold(registered, registration)):
            return await self.registrations.register(
                registration,
                base=base,
                operator=operator.name,
                now=self.clock(),
                detail=detail,
            )

    # --- agents ----------------------------------------------------------------------

    async def issue_token(self, name: str, *, operator: Operator) -> str:
        token = await self.enrolment.issue_token(name)
        await self.operators.audit(operator, "agent token", name)
        return token

    async def await_agents(self, names: Sequence[str], since: datetime) -> None:
        """Return when each of them has bootstrapped and looked at its domains."""
        waiting = set(names)
        with suppress(TimeoutError):
            async with asyncio.timeout(_AWAIT_SECONDS):
                while waiting:
                    for agent in await self.identities.agents():
                        if _has_looked(agent, since):
                            waiting.discard(agent.name)
                    await asyncio.sleep(_POLL_SECONDS)
        if waiting:
            raise Unavailable(
                f"The agent {', '.join(sorted(waiting))} did not bootstrap within "
                f"{_AWAIT_SECONDS:.0f} seconds; its log is in the state folder, "
                "under agents/NAME/agent.log."
            )

    # --- jobs ------------------------------------------------------------------------

    async def jobs(self) -> list[dict[str, Any]]:
        return shapes.jobs(await self._read_registration())

    async def run_job(self, name: str, progress: Progress) -> dict[str, Any]:
        """Run one cycle now; return it in the documented shape."""
        registration = await registered(self.registrations)
        return shapes.cycle(await self._cycle(name, registration, progress))

    async def _cycle(
        self, name: str, registration: Registration, progress: Progress
    ) -> Cycle:
        cycle = await self.runs.cycle(name, registration, required(self.bus), progress)
        self.notices.after_cycle()
        return cycle

    @asynccontextmanager
    async def scheduling(self) -> AsyncIterator[None]:
        """Run every job at its interval for as long as the context lasts.

        A bug in one of the services ends the context: the command says so, instead of
        serving on without them.
        """
        read = self._read_registration
        self.scheduler = Scheduler(
            read=read, held=self.steering.holds, run=self._tick, clock=self.clock
        )
        hints = required(self.bus).hints
        retention = Retention(read, self.provisioning, self.clock)
        scheduling = (self.scheduler.serve(), self.scheduler.hear(hints))
        services = (*scheduling, retention.serve(), self.notices.serve())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in services]
            try:
                yield
            finally:
                self.scheduler = None
                for task in tasks:
                    task.cancel()

    async def _read_registration(self) -> Registration | None:
        return (await self.registrations.registration())[1]

    async def _tick(self, name: str, registration: Registration) -> None:
        try:
            cycle = await self._cycle(name, registration, silent)
        except CloudforestError as error:
            log.warning("cycle did not start", job=name, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one job stops no other
            log.error("bug in a cycle", job=name, report=str(report(error)))  # noqa: TRY400 - without values
        else:
            log.info("cycle ended", job=name, state=cycle.state, reason=cycle.error)

    def keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Hold a task that goes on when the one who asked for it goes away."""
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task

    async def end(self) -> None:
        """End what is kept, as a kill would: the next cycle goes on from there."""
        for task in tuple(self._kept):
            task.cancel()
        await asyncio.gather(*self._kept, return_exceptions=True)

    async def status(self) -> dict[str, Any]:
        registration = await self._read_registration()
        return await self.watching.status(registration, self.scheduler)


def _has_looked(agent: AgentRecord, since: datetime) -> bool:
    if agent.last_bootstrap is None or agent.troubles is None:
        return False
    return agent.last_bootstrap >= since
