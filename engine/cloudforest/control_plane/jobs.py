"""Controls jobs by hand, audited; explains and provisions objects; reads the status."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from cloudforest.base.errors import Busy, Refused
from cloudforest.control_plane import shapes
from cloudforest.control_plane.runs import JobRunner
from cloudforest.hybrid.bootstrap import select_listed
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import Operator
from cloudforest.model.jobs import JobHealth, JobState, Pause, ResetScope, live_key
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.cycle import provision_on_demand
from cloudforest.provisioning.explanation.explain import explain_object
from cloudforest.provisioning.quarantine import Hold, compute_holds, compute_job_health
from cloudforest.provisioning.run import get_registered_job
from cloudforest.provisioning.scheduler import Scheduler

ESCROW_PAGE_SIZE = 500
_MAX_UNKNOWN_LISTED = 20


def _clear_quarantine(state: JobState) -> JobState:
    return replace(state, quarantine=None, disabled=None, failures=0)


@dataclass(frozen=True)
class JobService:
    runner: JobRunner
    operators: Operators
    identities: IdentityStore

    @property
    def _store(self) -> ProvisioningStore:
        return self.runner.store

    async def read_job_health(self, registration: Registration) -> dict[str, JobHealth]:
        return compute_job_health(
            registration,
            await self._store.load_job_states(),
            await self._store.load_breakers(),
        )

    async def read_holds(self, registration: Registration) -> dict[str, Hold]:
        """Return the jobs that the scheduler must not start yet."""
        return compute_holds(await self.read_job_health(registration))

    async def require_job(self, name: str) -> Job:
        """Return a registered job; raise Misconfigured if it is unknown."""
        return get_registered_job(await self.runner.require_registration(), name)[0]

    async def pause(self, name: str, operator: Operator) -> None:
        """Start no further cycles; a running one ends normally."""
        await self.require_job(name)
        pause = Pause(since=self.runner.clock(), by=operator.name)
        await self._store.change_job_state(
            name, lambda state: replace(state, paused=state.paused or pause)
        )
        await self.operators.audit(operator, "job pause", name)

    async def start(self, name: str, operator: Operator) -> None:
        """End a pause, a quarantine, or the disabling that followed it."""
        job = await self.require_job(name)
        if not job.enabled:
            raise Refused(
                f'Job "{name}" is disabled in the tree. Set `enabled: true` there and '
                "run `cloudforest apply`."
            )
        await self._store.change_job_state(
            name, lambda state: replace(_clear_quarantine(state), paused=None)
        )
        await self.operators.audit(operator, "job start", name)

    @contextmanager
    def _lock_resting_job(self, name: str) -> Iterator[None]:
        """Hold the job: a running cycle would overwrite what is changed here."""
        if self.runner.locks.is_running(name):
            raise Busy(
                f'A cycle of job "{name}" is running. Try again when it has ended, or '
                f"run `cloudforest job pause {name}` first."
            )
        with self.runner.locks.hold_job(name):
            yield

    async def restart(
        self, name: str, scopes: frozenset[ResetScope], operator: Operator
    ) -> None:
        """Reset what the scopes name; raise Busy while a cycle runs."""
        job = await self.require_job(name)

        def change(state: JobState) -> JobState:
            return _clear_quarantine(state) if "QuarantineState" in scopes else state

        with self._lock_resting_job(name):
            await self._store.restart_job(
                name, job.target, resets=scopes, change=change, now=self.runner.clock()
            )
        detail = f"{name} {','.join(sorted(scopes))}"
        await self.operators.audit(operator, "job restart", detail)

    async def list_escrow(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield each object in escrow, with what it waits for."""
        after = ""
        while page := await self._store.list_escrowed_effects(
            live_key(name), after=after, limit=ESCROW_PAGE_SIZE
        ):
            for effect, dn in page:
                yield shapes.shape_escrow(effect, dn)
                after = effect.key

    async def retry(self, name: str, subject: str | None, operator: Operator) -> int:
        """Make one object in escrow due, or all (None); return how many changes."""
        await self.require_job(name)
        with self._lock_resting_job(name):
            key, now = live_key(name), self.runner.clock()
            released = await self._store.retry_escrowed(key, subject, now)
        if subject is not None and not released:
            raise Refused(
                f'Object "{subject}" is not in escrow of job "{name}". '
                f"`cloudforest job escrow {name}` lists those that are."
            )
        await self.operators.audit(operator, "job escrow", f"{name} {subject or 'all'}")
        return released

    async def explain(self, job: str, lookup: Lookup) -> dict[str, Any]:
        async with self.runner.open_context(job) as context:
            return await explain_object(context, lookup)

    async def provision(
        self, job: str, lookup: Lookup, operator: Operator
    ) -> dict[str, Any]:
        """Write one object; raise Busy while a cycle of the job runs."""
        await self.operators.audit(operator, "provision", f"{job} {lookup.value}")
        async with self.runner.open_context(job) as context:
            return await provision_on_demand(context, lookup, self.runner.locks)

    async def status(self, scheduler: Scheduler | None) -> dict[str, Any]:
        """Return the documented status; next cycles are known only with a scheduler."""
        registration = await self.runner.read_registration()
        now = self.runner.clock()
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
        health = await self.read_job_health(registration)
        starts = scheduler and scheduler.compute_next_starts(
            registration.jobs, self.runner.clock(), compute_holds(health)
        )
        cycles = await self._store.load_last_cycles()
        effects = await self._store.count_effects()
        # No await in between: a cycle could end there.
        states = [
            shapes.shape_job_state(
                job,
                last=cycles.get(job.name),
                next_start=(starts or {}).get(job.name),
                effects=effects.get(job.name, {}),
                health=health[job.name],
                running=self.runner.locks.is_running(job.name),
            )
            for job in registration.jobs
        ]
        for state in states:
            key = live_key(state["name"])
            watermark = await self._store.load_watermark(key)
            unknown = await self._store.list_unknown_objects(key, _MAX_UNKNOWN_LISTED)
            state.update(shapes.shape_import_state(watermark, *unknown))
        return states
