"""The control plane: registration, agents, jobs and status in one object."""

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
from cloudforest.base.logs import write_bug_report
from cloudforest.control_plane.impact import ImpactService
from cloudforest.control_plane.jobs import JobService
from cloudforest.control_plane.notices import NoticeService
from cloudforest.control_plane.runs import JobRunner
from cloudforest.control_plane.stages import StageDecisions
from cloudforest.hybrid.bootstrap import BootstrapService
from cloudforest.hybrid.enrolment import EnrolmentService
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Operator
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.registration import Registration
from cloudforest.model.renames import list_jobs_to_lock
from cloudforest.provisioning.scheduler import Retention, Scheduler

_AGENT_TIMEOUT_SECONDS = 30.0
_AGENT_POLL_SECONDS = 0.1

T = TypeVar("T")

log = structlog.get_logger()


@dataclass
class ControlPlane:
    """The services of a control plane."""

    identities: IdentityStore
    enrolment: EnrolmentService
    bootstrapping: BootstrapService
    operators: Operators
    runner: JobRunner
    impacts: ImpactService
    stage_decisions: StageDecisions
    notices: NoticeService
    jobs: JobService
    clock: Clock
    scheduler: Scheduler | None = None
    _background_tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    # --- registration ----------------------------------------------------------------

    async def register(
        self,
        registration: Registration,
        *,
        base: int,
        operator: Operator,
        detail: str = "",
    ) -> int:
        registered = await self.runner.read_registration()
        # A cycle locks its job right after it has read the registration. So either it
        # reads the new one, or its lock is seen here.
        with self.runner.lock_jobs(list_jobs_to_lock(registered, registration)):
            return await self.runner.registrations.register(
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

    async def wait_for_agents(self, names: Sequence[str], since: datetime) -> None:
        """Wait until each of them has bootstrapped and read its domains."""
        waiting = set(names)
        with suppress(TimeoutError):
            async with asyncio.timeout(_AGENT_TIMEOUT_SECONDS):
                while waiting:
                    waiting -= {
                        agent.name
                        for agent in await self.identities.list_agents()
                        if agent.last_bootstrap is not None
                        and agent.last_bootstrap >= since
                        and agent.troubles is not None
                    }
                    await asyncio.sleep(_AGENT_POLL_SECONDS)
        if waiting:
            missing = ", ".join(f'"{name}"' for name in sorted(waiting))
            raise Unavailable(
                f"No bootstrap within {_AGENT_TIMEOUT_SECONDS:.0f} seconds from agent "
                f"{missing}. See agents/NAME/agent.log in the state folder."
            )

    # --- jobs ------------------------------------------------------------------------

    @asynccontextmanager
    async def run_scheduler(self) -> AsyncIterator[None]:
        """Run every job at its interval while the context is open.

        A bug in one of the services ends the context, so that the command fails
        instead of serving without that service.
        """
        read = self.runner.read_registration
        self.scheduler = Scheduler(
            read_registration=read,
            read_holds=self.jobs.read_holds,
            run_job=self._run_scheduled_cycle,
            clock=self.clock,
        )
        hints = self.runner.require_bus().receive_hints
        retention = Retention(read, self.runner.store, self.clock)
        scheduling = (self.scheduler.serve(), self.scheduler.receive_hints(hints))
        services = (*scheduling, retention.serve(), self.notices.serve())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in services]
            try:
                yield
            finally:
                self.scheduler = None
                for task in tasks:
                    task.cancel()

    async def _run_scheduled_cycle(self, name: str, registration: Registration) -> None:
        try:
            cycle = await self.runner.run_cycle(name, registration)
        except CloudforestError as error:
            log.warning("cycle did not start", job=name, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one job stops no other
            log.error("bug in a cycle", job=name, report=str(write_bug_report(error)))  # noqa: TRY400 - without values
        else:
            log.info("cycle ended", job=name, state=cycle.state, reason=cycle.error)

    def keep_running(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that continues when the client disconnects."""
        task = asyncio.create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel these tasks, as a kill would: the next cycle continues from there."""
        for task in tuple(self._background_tasks):
            task.cancel()
        await asyncio.gather(*self._background_tasks, return_exceptions=True)
