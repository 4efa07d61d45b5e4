"""What operators do to jobs by hand: pause, start, restart, retry; all audited.

How agents and jobs stand, in the documented shape.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Busy, Misconfigured, Refused, Unavailable
from cloudforest.control_plane import shapes
from cloudforest.hybrid.bootstrap import listed
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Operator
from cloudforest.model.jobs import JobState, Pause, ResetScope, Standing
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.quarantine import Hold, holds, standings
from cloudforest.provisioning.run import Turns
from cloudforest.provisioning.scheduler import Scheduler

BATCH = 500


@dataclass(frozen=True)
class Steering:
    registrations: RegistrationStore
    store: ProvisioningStore
    operators: Operators
    turns: Turns
    clock: Clock

    async def standings(self, registration: Registration) -> dict[str, Standing]:
        return standings(
            registration, await self.store.job_states(), await self.store.breakers()
        )

    async def holds(self, registration: Registration) -> dict[str, Hold]:
        """Return the jobs that the scheduler does not simply start."""
        return holds(await self.standings(registration))

    async def pause(self, name: str, operator: Operator) -> None:
        """Start no more cycles; the one that runs goes on to its end."""
        await self._job(name)
        pause = Pause(since=self.clock(), by=operator.name)
        await self.store.change_job(
            name, lambda state: replace(state, paused=state.paused or pause)
        )
        await self.operators.audit(operator, "job pause", name)

    async def start(self, name: str, operator: Operator) -> None:
        """Go on after a pause, a quarantine, or what came of it."""
        job = await self._job(name)
        if not job.enabled:
            raise Refused(
                f"Job {name} is not enabled in the tree; write `enabled: true` there "
                "and apply."
            )
        await self.store.change_job(name, _started)
        await self.operators.audit(operator, "job start", name)

    async def restart(
        self, name: str, scopes: frozenset[ResetScope], operator: Operator
    ) -> None:
        """Forget what the scopes name; raises Busy while a cycle runs."""
        job = await self._job(name)
        detail = f"{name} {','.join(sorted(scopes))}"

        def change(state: JobState) -> JobState:
            return _cleared(state) if "QuarantineState" in scopes else state

        with self._resting(name):
            await self.store.restart_job(
                name, job.target, resets=scopes, change=change, now=self.clock()
            )
        await self.operators.audit(operator, "job restart", detail)

    async def escrow(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what each escrowed object of a job waits for."""
        after = ""
        while page := await self.store.escrow_page(name, after=after, limit=BATCH):
            for effect, dn in page:
                yield shapes.escrowed(effect, dn)
                after = effect.key

    async def require(self, name: str) -> None:
        """Raise Misconfigured unless there is such a job."""
        await self._job(name)

    async def retry(self, name: str, subject: str | None, operator: Operator) -> int:
        """Make one escrowed object due, or all (None); return how many changes."""
        await self._job(name)
        with self._resting(name):
            released = await self.store.retry(name, subject, self.clock())
        if subject is not None and not released:
            raise Refused(
                f"{subject} is not in escrow of job {name}; `cloudforest job escrow "
                f"{name}` shows who is."
            )
        await self.operators.audit(operator, "job escrow", f"{name} {subject or 'all'}")
        return released

    @contextmanager
    def _resting(self, name: str) -> Iterator[None]:
        """Keep cycles away: one that runs would write over what is changed here."""
        if self.turns.taken(name):
            raise Busy(
                f"Job {name} runs; try again when its cycle has ended, or "
                f"`cloudforest job pause {name}` first."
            )
        with self.turns.take(name):
            yield

    async def _job(self, name: str) -> Job:
        _, registration = await self.registrations.registration()
        if registration is None:
            raise Unavailable("Nothing is registered yet; run `cloudforest apply`.")
        job = registration.job(name)
        if job is None:
            raise Misconfigured(
                f"There is no job {name}; `cloudforest job list` shows those there are."
            )
        return job


def _cleared(state: JobState) -> JobState:
    return replace(state, quarantine=None, disabled=None, failures=0)


def _started(state: JobState) -> JobState:
    return replace(_cleared(state), paused=None)


_UNKNOWN_LISTED = 20


@dataclass(frozen=True)
class Watching:
    identities: IdentityStore
    store: ProvisioningStore
    steering: Steering
    turns: Turns
    clock: Clock

    async def status(
        self, registration: Registration | None, scheduler: Scheduler | None
    ) -> dict[str, Any]:
        """Return the documented status; without a scheduler no job has a next cycle."""
        now = self.clock()
        agents = listed(await self.identities.agents(), now)
        return {
            "agents": [shapes.agent(each, now) for each in agents],
            "jobs": await self._jobs(registration, scheduler) if registration else [],
        }

    async def _jobs(
        self, registration: Registration, scheduler: Scheduler | None
    ) -> list[dict[str, Any]]:
        standings = await self.steering.standings(registration)
        starts = scheduler and scheduler.next_starts(
            registration.jobs, self.clock(), holds(standings)
        )
        facts = shapes.Facts(
            cycles=await self.store.last_cycles(),
            effects=await self.store.effect_counts(),
            standings=standings,
            starts=starts or {},
            running=self.turns.taken,
        )
        return [
            each | await self._imported(each["name"])
            for each in shapes.job_states(registration.jobs, facts)
        ]

    async def _imported(self, job: str) -> dict[str, Any]:
        held = await self.store.watermark(job)
        unknown = await self.store.unknown_objects(job, _UNKNOWN_LISTED)
        return shapes.imported(held, *unknown)
