"""What one cycle of a job works with, and whose turn it is."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Busy, Misconfigured
from cloudforest.model.cycles import Attempts, Counts
from cloudforest.model.effects import Effect
from cloudforest.model.jobs import JobKey
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.ports.target import Target
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Profile, Registration


class Progress(Protocol):
    def __call__(self, phase: str, done: int, total: int | None = None, /) -> None:
        """Hear the phase (import, evaluate, count, export) and how far it is.

        So many objects are done, of so many where that is known.
        """
        ...


def ignore_progress(_phase: str, _done: int, _total: int | None = None, /) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class CycleContext:
    """One cycle: pinned to one revision, filling one set of counts.

    `rows` is the name under which rows, memberships and effects are kept: the job's,
    or a scratch name when a plan asks what would happen. `others` are the other jobs
    that are registered for the target; `allowed` are the digests of stages that may be
    written. `only` is the one object that is provisioned on demand.
    """

    job: Job
    program: JobProgram
    profile: Profile
    store: ProvisioningStore
    bus: AgentBus
    target: Target
    clock: Clock
    key_name: str
    progress: Progress = ignore_progress
    cycle_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    counts: Counts = field(default_factory=Counts)
    attempts: Attempts = field(default_factory=Attempts)

    remaining_budgets: dict[str, int] = field(default_factory=dict)
    """How many effects a budget still bears, of those that only the export finds."""
    claims: dict[str, str] = field(default_factory=dict)
    unanswered_keys: list[str] = field(default_factory=list)
    """Keys of the effects in escrow since the target last answered."""
    siblings: tuple[str, ...] = ()
    allowed_stages: frozenset[str] = frozenset()
    only_object: str | None = None

    def claim_resource(self, resource: str, object_id: str) -> bool:
        """Claim a resource until its link is stored; False: another object has it."""
        return self.claims.setdefault(resource, object_id) == object_id

    async def read_pending_effects(
        self, phase: int, limit: int
    ) -> AsyncIterator[list[Effect]]:
        """Yield the pending effects of a phase by key, in batches of `limit`."""
        after = ""
        while batch := await self.store.list_pending_effects(
            self.key_name, self.cycle_id, phase, after=after, limit=limit
        ):
            yield batch
            after = batch[-1].key

    @property
    def is_scratch(self) -> bool:
        """Whether a plan only asks, and no trace may be left."""
        return self.key_name != self.job.name

    @property
    def key(self) -> JobKey:
        return JobKey(
            job=self.key_name,
            siblings=self.siblings,
            target=self.job.target,
            only_object=self.only_object,
        )

    @property
    def snapshot_key(self) -> str:
        """The name of this cycle's picture of the target."""
        return self.cycle_id


def get_registered_job(
    registration: Registration, job: str
) -> tuple[Job, JobProgram, Profile]:
    """Return what is registered of a job, or raise Misconfigured."""
    found = registration.find_job(job)
    if found is None or job not in registration.programs:
        raise Misconfigured(
            f"There is no job {job}; `cloudforest job list` shows those there are."
        )
    target = registration.find_target(found.target)
    if target is None:
        raise Misconfigured(
            f"Job {job} names the target {found.target}, which is not registered; "
            "apply the tree that has both."
        )
    return found, registration.programs[job], target.profile


def find_sibling_jobs(registration: Registration, job: Job) -> tuple[str, ...]:
    """Return the other jobs that write to the target of a job."""
    return tuple(
        each.name
        for each in registration.jobs
        if each.target == job.target and each.name != job.name
    )


class JobLocks:
    """Who is running: neither two cycles of a job, nor two that write to a target."""

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._targets: dict[str, asyncio.Lock] = {}

    def is_running(self, job: str) -> bool:
        return job in self._running

    @contextmanager
    def hold_job(self, job: str) -> Iterator[None]:
        if job in self._running:
            raise Busy(f"Job {job} already runs; wait until its cycle has ended.")
        self._running.add(job)
        try:
            yield
        finally:
            self._running.discard(job)

    def target_lock(self, target: str) -> asyncio.Lock:
        """Return what is held while a cycle decides what to write there, and writes."""
        return self._targets.setdefault(target, asyncio.Lock())
