"""Start each job's cycles at its interval, and prune the log: the loops of `serve`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from cloudforest.base.clock import Clock, Sleep
from cloudforest.base.errors import CloudforestError
from cloudforest.model.messages import domain_id
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Job, Registration
from cloudforest.provisioning.quarantine import Hold

MAX_HINTS = 300
"""Change hints about a domain that count immediately, in quick succession.

The budget limits a stolen agent, which can send any number of hints.
"""
SECONDS_PER_HINT = 5.0
"""Seconds after which the budget of a domain grows by one hint."""
MAX_SPREAD = 0.1
POLL_SECONDS = 5.0
"""Seconds between two looks at the registration."""
MIN_START_INTERVAL = timedelta(seconds=1)
"""The shortest time between two starts of a job, however many hints arrive."""
ReadHolds = Callable[[Registration], Awaitable[Mapping[str, Hold]]]
RunJob = Callable[[str, Registration], Awaitable[object]]
PRUNE_SECONDS = 3600.0
BATCH = 500
"""Entries deleted in one transaction, so that cycles can write in between."""
ReadRegistration = Callable[[], Awaitable[Registration | None]]
log = structlog.get_logger()


@dataclass
class HintBudget:
    """The hints that each domain has left; domains do not share a budget."""

    _left_by_domain: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def has_left(self, domain: str, now: datetime) -> bool:
        """Return whether a hint about the domain would count now."""
        return self._count_left(domain, now) >= 1

    def take_hint(self, domain: str, now: datetime) -> bool:
        """Use up one hint of the domain; return whether it had one left."""
        left = self._count_left(domain, now)
        if left >= 1:
            self._left_by_domain[domain] = (left - 1, now)
        return left >= 1

    def _count_left(self, domain: str, now: datetime) -> float:
        left, since = self._left_by_domain.get(domain, (MAX_HINTS, now))
        # A clock that was set back must not reduce the budget.
        passed = max(0.0, (now - since).total_seconds())
        return min(MAX_HINTS, left + passed / SECONDS_PER_HINT)


def compute_next_start(
    *, previous: datetime | None, now: datetime, interval: timedelta, jitter: float
) -> datetime:
    """Return when to start next; never before `now`.

    `previous` is the start of the last cycle; a job without one starts immediately.
    Missed starts become one start, at `now`. So does a `previous` in the future, after
    the clock was set back. `jitter` in [0, 1) is constant for a job and lengthens its
    interval by up to 10 %, so that jobs spread out.
    """
    if previous is None or previous > now:
        return now
    return max(now, previous + interval * (1 + MAX_SPREAD * jitter))


@dataclass
class Scheduler:
    """Starts the cycles of all enabled jobs; no job overlaps itself.

    Each tick reads the registration again, so a cycle runs the current one. `run_job`
    must not raise when a job fails. A job keeps its jitter while the service runs.
    """

    read_registration: ReadRegistration
    read_holds: ReadHolds
    run_job: RunJob
    clock: Clock
    sleep: Sleep = asyncio.sleep
    draw_jitter: Callable[[], float] = random.random
    _last_starts: dict[str, datetime] = field(default_factory=dict)
    _jitters: dict[str, float] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)
    _hint_budget: HintBudget = field(default_factory=HintBudget)
    _hinted_domains: set[str] = field(default_factory=set)
    _hinted_jobs: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add_hint(self, domain: str) -> None:
        """Make the jobs of the domain with this `domain_id` due: something changed.

        Hints that arrive together count as one. A hint that arrives while a job runs
        starts it once more afterwards. A job on hold still waits, and so do the jobs of
        a domain whose hint budget is used up.
        """
        self._hinted_domains.add(domain)
        if self._hint_budget.has_left(domain, self.clock()):
            self._wake.set()

    async def receive_hints(
        self, watch_hints: Callable[[], AsyncIterator[str]]
    ) -> None:
        """Add the agents' change hints, until cancelled."""
        while True:
            try:
                async for domain in watch_hints():
                    self.add_hint(domain)
            except CloudforestError as error:
                log.warning("change hints not received", reason=str(error))
            await self.sleep(POLL_SECONDS)

    def start_now(self, job: str) -> None:
        """Make the job due by forgetting its last start."""
        self._last_starts.pop(job, None)
        self._wake.set()

    def compute_next_starts(
        self, jobs: Iterable[Job], now: datetime, holds: Mapping[str, Hold]
    ) -> dict[str, datetime]:
        """Return when each enabled job starts next, unless it is running then."""
        starts = {}
        for job in jobs:
            hold = holds.get(job.name, now)
            if not job.enabled or hold is None:
                continue
            hinted = job.name in self._hinted_jobs
            interval = timedelta(seconds=job.interval)
            start = compute_next_start(
                previous=self._last_starts.get(job.name),
                now=now,
                interval=min(MIN_START_INTERVAL, interval) if hinted else interval,
                jitter=self._jitters.setdefault(job.name, self.draw_jitter()),
            )
            starts[job.name] = max(start, hold)
        return starts

    async def serve(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                try:
                    pause = await self._start_due_jobs(tasks)
                except CloudforestError as error:
                    # A short failure of the store must not end the scheduler.
                    log.warning("due jobs not read", reason=str(error))
                    pause = POLL_SECONDS
                await self._sleep_or_wake(pause)

    async def _start_due_jobs(self, tasks: asyncio.TaskGroup) -> float:
        """Start the due jobs; return the seconds until the next tick."""
        registration = await self.read_registration()
        if registration is None:
            return POLL_SECONDS
        holds = await self.read_holds(registration)
        now = self.clock()
        self._apply_hints(registration.jobs, now)
        starts = self.compute_next_starts(registration.jobs, now, holds)
        for name, start in starts.items():
            if start <= now and name not in self._running:
                self._last_starts[name] = now
                self._running.add(name)
                self._hinted_jobs.discard(name)
                tasks.create_task(self._run_cycle(name, registration))
        starts = self.compute_next_starts(registration.jobs, now, holds)
        waits = [(start - now).total_seconds() for start in starts.values()]
        # A due job that still runs starts at the first tick after it ended.
        return min([POLL_SECONDS, *(wait for wait in waits if wait > 0)])

    def _apply_hints(self, jobs: Iterable[Job], now: datetime) -> None:
        accepted = {
            each
            for each in self._hinted_domains
            if self._hint_budget.take_hint(each, now)
        }
        self._hinted_jobs |= {
            job.name for job in jobs if domain_id(job.domain) in accepted
        }
        self._hinted_domains -= accepted

    async def _run_cycle(self, name: str, registration: Registration) -> None:
        try:
            await self.run_job(name, registration)
        finally:
            self._running.discard(name)
            if name in self._hinted_jobs:
                self._wake.set()

    async def _sleep_or_wake(self, seconds: float) -> None:
        """Sleep, but return early when a hint or a start request arrives."""
        sleeping = asyncio.ensure_future(self.sleep(seconds))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
        finally:
            sleeping.cancel()
            waking.cancel()


@dataclass(frozen=True)
class Retention:
    """Deletes log entries and cycles older than the tenant's retention, each hour."""

    read_registration: ReadRegistration
    store: ProvisioningStore
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def prune(self) -> int:
        """Delete all that is too old; return the number of entries and cycles."""
        registration = await self.read_registration()
        if registration is None:
            return 0
        before = self.clock() - timedelta(seconds=registration.tenant.log_retention)
        total = 0
        for prune in (self.store.prune_log, self.store.prune_cycles):
            while pruned := await prune(before, BATCH):
                total += pruned
        return total

    async def serve(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                pruned = await self.prune()
            except CloudforestError as error:
                log.warning("log not pruned", reason=str(error))
            else:
                log.info("log pruned", entries=pruned)
            await self.sleep(PRUNE_SECONDS)
