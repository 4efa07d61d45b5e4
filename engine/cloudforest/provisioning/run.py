"""The context that one cycle of a job works with, and the locks of running cycles."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Busy, Misconfigured
from cloudforest.base.values import canonical_digest
from cloudforest.model.cycles import Attempts, Counts
from cloudforest.model.effects import Effect
from cloudforest.model.jobs import JobKey, ReadKey, ScratchKey, WriteKey, live_key
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.ports.target import Target
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Profile, Registration
from cloudforest.model.source import KEPT_PRESENCES, Link

T = TypeVar("T")

Progress = Callable[[str, int, int | None], None]
"""Reports a phase (import, evaluate, count, export), the objects done, and their total.

The total is None while it is not known.
"""


def ignore_progress(_phase: str, _done: int, _total: int | None = None, /) -> None:
    """Report no progress."""


def get_registered_job(
    registration: Registration, job: str
) -> tuple[Job, JobProgram, Profile]:
    """Return a registered job with its program and its target's profile.

    Raises Misconfigured if the job or its target is not registered.
    """
    found = registration.find_job(job)
    if found is None or job not in registration.programs:
        raise Misconfigured(
            f'Unknown job "{job}". List the registered jobs: `cloudforest job list`.'
        )
    target = registration.find_target(found.target)
    if target is None:
        raise Misconfigured(
            f'Job "{job}" names the target "{found.target}", which is not registered. '
            "Apply the tree that has both."
        )
    return found, registration.programs[job], target.profile


async def read_pages(
    list_after: Callable[[Any], Awaitable[list[T]]],
    key_of: Callable[[T], Any] = attrgetter("key"),
    first: Any = "",
) -> AsyncIterator[list[T]]:
    """Yield the pages of a list in the order of its keys; `first` precedes all keys."""
    after = first
    while page := await list_after(after):
        yield page
        after = key_of(page[-1])


@dataclass
class CycleProgress:
    """What a cycle has counted, claimed and spent so far.

    `remaining_rekeys`: how many more the budget allows, for those found at export.
    `claims`: the objectGUIDs for which resources are claimed until their link is
    stored. `unanswered_keys`: the effects put in escrow since the target last answered.
    `emptied_groups` are charged to their budget.
    """

    counts: Counts = field(default_factory=Counts)
    attempts: Attempts = field(default_factory=Attempts)
    remaining_rekeys: int | None = None
    claims: dict[str, str] = field(default_factory=dict)
    unanswered_keys: list[str] = field(default_factory=list)
    emptied_groups: set[str] = field(default_factory=set)

    def claim_resource(self, resource: str, object_id: str) -> bool:
        """Claim a resource until its link is stored; return False if it is taken."""
        return self.claims.setdefault(resource, object_id) == object_id


@dataclass(frozen=True)
class CycleContext:
    """One cycle: its job as registered at the start, its ports, and its progress.

    `key_name` is the name that source objects, memberships and effects are kept under:
    the job's live key, or a scratch key in a preview. `allowed_stages` are the digests
    of the stages that may be written. `only_object` is the objectGUID that is
    provisioned on demand.
    """

    job: Job
    program: JobProgram
    profile: Profile
    store: ProvisioningStore
    bus: AgentBus
    target: Target
    clock: Clock
    key_name: WriteKey
    report: Progress = ignore_progress
    cycle_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    progress: CycleProgress = field(default_factory=CycleProgress)
    siblings: tuple[ReadKey, ...] = ()
    allowed_stages: frozenset[str] = frozenset()
    only_object: str | None = None

    @classmethod
    def open(  # noqa: PLR0913 - the job, and the ports of its cycle
        cls,
        registration: Registration,
        job: str,
        *,
        store: ProvisioningStore,
        bus: AgentBus,
        target: Target,
        clock: Clock,
        report: Progress = ignore_progress,
    ) -> CycleContext:
        """Return the context of a job's next cycle.

        Raises Misconfigured if the job or its target is not registered.
        """
        pinned, program, profile = get_registered_job(registration, job)
        return cls(
            job=pinned,
            program=program,
            profile=profile,
            store=store,
            bus=bus,
            target=target,
            clock=clock,
            key_name=live_key(job),
            report=report,
            siblings=tuple(
                ReadKey(each.name)
                for each in registration.jobs
                if each.target == pinned.target and each.name != job
            ),
        )

    def for_object(self, object_guid: str) -> CycleContext:
        """Return the context that leaves all other objects alone."""
        return replace(self, only_object=object_guid)

    def on_scratch(self, key: ScratchKey) -> CycleContext:
        """Return the context of a preview: it works on scratch data."""
        return replace(self, key_name=key)

    def with_allowed_stages(self, digests: frozenset[str]) -> CycleContext:
        """Return the context that may write the stages with these digests."""
        return replace(self, allowed_stages=digests)

    def as_new_cycle(self) -> CycleContext:
        """Return the context of another cycle: a new id, and nothing counted yet."""
        return replace(self, cycle_id=uuid.uuid4().hex, progress=CycleProgress())

    @property
    def counts(self) -> Counts:
        return self.progress.counts

    def read_pending_effects(
        self, phase: int, limit: int
    ) -> AsyncIterator[list[Effect]]:
        """Yield the pending effects of a phase by key, in batches of `limit`."""
        return read_pages(
            lambda after: self.store.list_pending_effects(
                self.key_name, self.cycle_id, phase, after=after, limit=limit
            )
        )

    async def load_links(self, ids: Sequence[str]) -> dict[str, Link]:
        """Return the links of the objects in this job's target."""
        return await self.store.load_links(self.job.target, ids) if ids else {}

    async def load_resource_ids(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the resource id of each of the objects that is linked."""
        return await self.store.load_resource_ids(self.job.target, ids) if ids else {}

    async def find_held_by_siblings(self, ids: Sequence[str]) -> frozenset[str]:
        """Return the objects of a sibling job; only that job may remove them."""
        if not self.siblings or not ids:
            return frozenset()
        found = await self.store.load_presences(self.siblings, ids)
        return frozenset(guid for guid, each in found.items() if each in KEPT_PRESENCES)

    @cached_property
    def settled_digest(self) -> str:
        """The digest that settled objects rest on: if it changes, all are due."""
        return canonical_digest([self.job.target, self.siblings, self.program.mappings])

    @property
    def is_scratch(self) -> bool:
        """Whether this is a preview, which must leave no trace."""
        return str(self.key_name) != self.job.name

    @property
    def live_read_key(self) -> ReadKey:
        """The key to read the job's live data by, also in a preview."""
        return ReadKey(self.job.name)

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
        """The name of this cycle's snapshot of the target."""
        return self.cycle_id


class JobLocks:
    """Locks against two cycles of one job, and two that write to one target."""

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._targets: dict[str, asyncio.Lock] = {}

    def is_running(self, job: str) -> bool:
        return job in self._running

    @contextmanager
    def hold_job(self, job: str) -> Iterator[None]:
        if job in self._running:
            raise Busy(f'Job "{job}" is already running. Wait until its cycle ends.')
        self._running.add(job)
        try:
            yield
        finally:
            self._running.discard(job)

    def target_lock(self, target: str) -> asyncio.Lock:
        """Return the lock to hold while a cycle evaluates and writes to the target."""
        return self._targets.setdefault(target, asyncio.Lock())
