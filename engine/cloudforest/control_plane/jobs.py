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
from cloudforest.hybrid.bootstrap import select_listed
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Operator
from cloudforest.model.jobs import JobHealth, JobState, Pause, ResetScope, live_key
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.quarantine import Hold, compute_holds, compute_job_health
from cloudforest.provisioning.run import JobLocks
from cloudforest.provisioning.scheduler import Scheduler

ESCROW_PAGE_SIZE = 500


@dataclass(frozen=True)
class JobControls:
    registrations: RegistrationStore
    store: ProvisioningStore
    operators: Operators
    locks: JobLocks
    clock: Clock

    async def read_job_health(self, registration: Registration) -> dict[str, JobHealth]:
        return compute_job_health(
            registration,
            await self.store.load_job_states(),
            await self.store.load_breakers(),
        )

    async def read_holds(self, registration: Registration) -> dict[str, Hold]:
        """Return the jobs that the scheduler does not simply start."""
        return compute_holds(await self.read_job_health(registration))

    async def pause(self, name: str, operator: Operator) -> None:
        """Start no more cycles; the one that runs goes on to its end."""
        await self._require_job(name)
        pause = Pause(since=self.clock(), by=operator.name)
        await self.store.change_job_state(
            name, lambda state: replace(state, paused=state.paused or pause)
        )
        await self.operators.audit(operator, "job pause", name)

    async def start(self, name: str, operator: Operator) -> None:
        """Go on after a pause, a quarantine, or what came of it."""
        job = await self._require_job(name)
        if not job.enabled:
            raise Refused(
                f"Job {name} is not enabled in the tree; write `enabled: true` there "
                "and apply."
            )
        await self.store.change_job_state(name, _clear_all_stops)
        await self.operators.audit(operator, "job start", name)

    async def restart(
        self, name: str, scopes: frozenset[ResetScope], operator: Operator
    ) -> None:
        """Forget what the scopes name; raises Busy while a cycle runs."""
        job = await self._require_job(name)
        detail = f"{name} {','.join(sorted(scopes))}"

        def change(state: JobState) -> JobState:
            return _clear_quarantine(state) if "QuarantineState" in scopes else state

        with self._lock_resting_job(name):
            await self.store.restart_job(
                name, job.target, resets=scopes, change=change, now=self.clock()
            )
        await self.operators.audit(operator, "job restart", detail)

    async def list_escrow(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what each escrowed object of a job waits for."""
        after = ""
        while page := await self.store.list_escrowed_effects(
            live_key(name), after=after, limit=ESCROW_PAGE_SIZE
        ):
            for effect, dn in page:
                yield shapes.shape_escrow(effect, dn)
                after = effect.key

    async def require_job(self, name: str) -> None:
        """Raise Misconfigured unless there is such a job."""
        await self._require_job(name)

    async def retry(self, name: str, subject: str | None, operator: Operator) -> int:
        """Make one escrowed object due, or all (None); return how many changes."""
        await self._require_job(name)
        with self._lock_resting_job(name):
            released = await self.store.retry_escrowed(
                live_key(name), subject, self.clock()
            )
        if subject is not None and not released:
            raise Refused(
                f"{subject} is not in escrow of job {name}; `cloudforest job escrow "
                f"{name}` shows who is."
            )
        await self.operators.audit(operator, "job escrow", f"{name} {subject or 'all'}")
        return released

    @contextmanager
    def _lock_resting_job(self, name: str) -> Iterator[None]:
        """Keep cycles away: one that runs would write over what is changed here."""
        if self.locks.is_running(name):
            raise Busy(
                f"Job {name} runs; try again when its cycle has ended, or "
                f"`cloudforest job pause {name}` first."
            )
        with self.locks.hold_job(name):
            yield

    async def _require_job(self, name: str) -> Job:
        _, registration = await self.registrations.load_registration()
        if registration is None:
            raise Unavailable("Nothing is registered yet; run `cloudforest apply`.")
        job = registration.find_job(name)
        if job is None:
            raise Misconfigured(
                f"There is no job {name}; `cloudforest job list` shows those there are."
            )
        return job


def _clear_quarantine(state: JobState) -> JobState:
    return replace(state, quarantine=None, disabled=None, failures=0)


def _clear_all_stops(state: JobState) -> JobState:
    return replace(_clear_quarantine(state), paused=None)


_MAX_UNKNOWN_LISTED = 20


@dataclass(frozen=True)
class StatusReader:
    identities: IdentityStore
    store: ProvisioningStore
    job_controls: JobControls
    locks: JobLocks
    clock: Clock

    async def status(
        self, registration: Registration | None, scheduler: Scheduler | None
    ) -> dict[str, Any]:
        """Return the documented status; without a scheduler no job has a next cycle."""
        now = self.clock()
        agents = select_listed(await self.identities.list_agents(), now)
        return {
            "agents": [shapes.shape_agent(each, now) for each in agents],
            "jobs": await self._read_jobs(registration, scheduler)
            if registration
            else [],
        }

    async def _read_jobs(
        self, registration: Registration, scheduler: Scheduler | None
    ) -> list[dict[str, Any]]:
        standings = await self.job_controls.read_job_health(registration)
        starts = scheduler and scheduler.compute_next_starts(
            registration.jobs, self.clock(), compute_holds(standings)
        )
        facts = shapes.JobFacts(
            cycles=await self.store.load_last_cycles(),
            effect_counts=await self.store.count_effects(),
            health=standings,
            next_starts=starts or {},
            is_running=self.locks.is_running,
        )
        return [
            each | await self._read_import_state(each["name"])
            for each in shapes.shape_job_states(registration.jobs, facts)
        ]

    async def _read_import_state(self, job: str) -> dict[str, Any]:
        key = live_key(job)
        held = await self.store.load_watermark(key)
        unknown = await self.store.list_unknown_objects(key, _MAX_UNKNOWN_LISTED)
        return shapes.shape_import_state(held, *unknown)
