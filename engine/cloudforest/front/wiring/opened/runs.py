"""Opens what a job works with: for a cycle, a plan, or an explanation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError
from cloudforest.front.wiring.opened.targets import Targets
from cloudforest.model.ports import AgentBus, ProvisioningStore
from cloudforest.model.provisioning import Cycle
from cloudforest.model.registration import Registration
from cloudforest.provisioning.cycle import record_failure, run_cycle
from cloudforest.provisioning.run import (
    Progress,
    Run,
    Turns,
    pinned,
    sharing,
    silent,
)


@dataclass(frozen=True)
class Runs:
    store: ProvisioningStore
    targets: Targets
    clock: Clock
    turns: Turns = field(default_factory=Turns)

    @asynccontextmanager
    async def prepared(
        self,
        name: str,
        registration: Registration,
        bus: AgentBus,
        progress: Progress = silent,
    ) -> AsyncIterator[Run]:
        """Open a job's target for as long as the context lasts."""
        job, program, profile = pinned(registration, name)
        target = self.targets.open(registration, job.target)
        try:
            yield Run(
                job=job,
                program=program,
                profile=profile,
                store=self.store,
                bus=bus,
                target=target,
                clock=self.clock,
                rows=name,
                others=sharing(registration, job),
                progress=progress,
            )
        finally:
            await target.close()

    @contextmanager
    def held(self, jobs: Iterable[str]) -> Iterator[None]:
        """Let none of the jobs start a cycle; raises Busy when one is under way."""
        with ExitStack() as stack:
            for job in jobs:
                stack.enter_context(self.turns.take(job))
            yield

    async def cycle(
        self, name: str, registration: Registration, bus: AgentBus, progress: Progress
    ) -> Cycle:
        """Run one cycle to its end; one that can't even start is kept as failed."""
        job, _, _ = pinned(registration, name)
        try:
            target = self.targets.open(registration, job.target)
        except CloudforestError as error:
            return await record_failure(
                job, registration, error, store=self.store, clock=self.clock
            )
        try:
            return await run_cycle(
                name,
                registration,
                store=self.store,
                bus=bus,
                target=target,
                clock=self.clock,
                turns=self.turns,
                progress=progress,
            )
        finally:
            await target.close()
