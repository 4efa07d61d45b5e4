"""The loop of `serve`: every job at its interval, none overlapping itself.

How many hints about a domain are heard: a stolen agent can send any number.

When a job starts next.

Retention: `serve` forgets log and cycles older than the tenant keeps them.
"""

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
"""Hints in quick succession that are heard at once."""
SECONDS_PER_HINT = 5.0
"""Until there is one more in hand."""


@dataclass
class HintBudget:
    """Keeps apart what each domain has in hand; one never costs another anything."""

    _left_by_domain: dict[str, tuple[float, datetime]] = field(default_factory=dict)

    def has_left(self, domain: str, now: datetime) -> bool:
        """Tell whether a hint about it would be heard."""
        return self._count_left(domain, now) >= 1

    def take_hint(self, domain: str, now: datetime) -> bool:
        """Hear a hint about it; return whether that is possible now."""
        in_hand = self._count_left(domain, now)
        if in_hand < 1:
            return False
        self._left_by_domain[domain] = (in_hand - 1, now)
        return True

    def _count_left(self, domain: str, now: datetime) -> float:
        held, since = self._left_by_domain.get(domain, (MAX_HINTS, now))
        # A clock that was set back gives nothing.
        passed = max(0.0, (now - since).total_seconds())
        return min(MAX_HINTS, held + passed / SECONDS_PER_HINT)


MAX_SPREAD = 0.1


def compute_next_start(
    *, previous: datetime | None, now: datetime, interval: timedelta, jitter: float
) -> datetime:
    """Return when to start; never before `now`.

    `previous` is the start of the last cycle; a job without one starts at once. Ticks
    that were missed are one start, at `now`; so is the time that a clock which was set
    back would have to make up. `jitter` in [0, 1) is constant for a job
    and lengthens its interval by up to a tenth, so that jobs drift apart.
    """
    if previous is None or previous > now:
        return now
    return max(now, previous + interval * (1 + MAX_SPREAD * jitter))


POLL_SECONDS = 5.0
"""Seconds after which a changed registration is noticed at the latest."""
MIN_START_INTERVAL = timedelta(seconds=1)
"""From one start of a job to the next, however many hints come."""
ReadHolds = Callable[[Registration], Awaitable[Mapping[str, Hold]]]
RunJob = Callable[[str, Registration], Awaitable[object]]


@dataclass
class Scheduler:
    """Starts the cycles of every enabled job.

    `read` is asked anew for each tick, so a cycle runs what is registered then; `held`
    names the jobs that are not started yet. `run` does not raise for what happens to
    one job. Missed ticks are one start. A job's jitter is a fraction in [0, 1), the
    same for as long as the service runs.
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

        Hints that come together are one; one that comes while a job runs starts it
        once more afterwards. A job that is held waits all the same, and so does one
        about whose domain too many hints came.
        """
        self._hinted_domains.add(domain)
        if self._hint_budget.has_left(domain, self.clock()):
            self._wake.set()

    async def receive_hints(
        self, watch_hints: Callable[[], AsyncIterator[str]]
    ) -> None:
        """Pass on what the agents say has changed, until cancelled."""
        while True:
            try:
                async for domain in watch_hints():
                    self.add_hint(domain)
            except CloudforestError as error:
                log.warning("hints not heard", reason=str(error))
            await self.sleep(POLL_SECONDS)

    def start_now(self, job: str) -> None:
        """Forget when the job started last, so that it is due."""
        self._last_starts.pop(job, None)
        self._wake.set()

    def compute_next_starts(
        self, jobs: Iterable[Job], now: datetime, holds: Mapping[str, Hold]
    ) -> dict[str, datetime]:
        """Return when each enabled job starts next, if it does not run then."""
        starts = {}
        for job in jobs:
            held = holds.get(job.name, now)
            if job.enabled and held is not None:
                starts[job.name] = max(self._compute_next_start(job, now), held)
        return starts

    def _compute_next_start(self, job: Job, now: datetime) -> datetime:
        nudged = job.name in self._hinted_jobs
        interval = timedelta(seconds=job.interval)
        return compute_next_start(
            previous=self._last_starts.get(job.name),
            now=now,
            interval=min(MIN_START_INTERVAL, interval) if nudged else interval,
            jitter=self._jitters.setdefault(job.name, self.draw_jitter()),
        )

    async def serve(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                try:
                    pause = await self._start_due_jobs(tasks)
                except CloudforestError as error:
                    # A store that is away for a moment must not be the last cycle's.
                    log.warning("no look at what is due", reason=str(error))
                    pause = POLL_SECONDS
                await self._sleep_or_wake(pause)

    async def _start_due_jobs(self, tasks: asyncio.TaskGroup) -> float:
        """Start what is due; return the seconds until to look again."""
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
        return self._seconds_to_next_start(
            self.compute_next_starts(registration.jobs, now, holds), now
        )

    def _apply_hints(self, jobs: Iterable[Job], now: datetime) -> None:
        heard = {
            each
            for each in self._hinted_domains
            if self._hint_budget.take_hint(each, now)
        }
        self._hinted_jobs |= {
            job.name for job in jobs if domain_id(job.domain) in heard
        }
        self._hinted_domains -= heard

    async def _run_cycle(self, name: str, registration: Registration) -> None:
        try:
            await self.run_job(name, registration)
        finally:
            self._running.discard(name)
            if name in self._hinted_jobs:
                self._wake.set()

    @staticmethod
    def _seconds_to_next_start(starts: dict[str, datetime], now: datetime) -> float:
        """Return the seconds until the next start, or until to look again.

        A job that is due and still runs starts when it is seen to have ended.
        """
        waits = [(start - now).total_seconds() for start in starts.values()]
        return min([POLL_SECONDS, *(wait for wait in waits if wait > 0)])

    async def _sleep_or_wake(self, seconds: float) -> None:
        """Sleep, unless somebody has something for us."""
        sleeping = asyncio.ensure_future(self.sleep(seconds))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                sleeping.result()
        finally:
            sleeping.cancel()
            waking.cancel()


PRUNE_SECONDS = 3600.0
BATCH = 500
"""Entries forgotten in one transaction, so that cycles get their turns in between."""

ReadRegistration = Callable[[], Awaitable[Registration | None]]

log = structlog.get_logger()


@dataclass(frozen=True)
class Retention:
    """`read` is asked anew each time, so a changed setting counts within an hour."""

    read_registration: ReadRegistration
    store: ProvisioningStore
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def prune(self) -> int:
        """Forget all that is too old; return how many entries and cycles it were."""
        registration = await self.read_registration()
        if registration is None:
            return 0
        kept = timedelta(seconds=registration.tenant.log_retention)
        before = self.clock() - kept
        forgotten = 0
        for prune in (self.store.prune_log, self.store.prune_cycles):
            while pruned := await prune(before, BATCH):
                forgotten += pruned
        return forgotten

    async def serve(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                forgotten = await self.prune()
            except CloudforestError as error:
                log.warning("log not pruned", reason=str(error))
            else:
                log.info("log pruned", entries=forgotten)
            await self.sleep(PRUNE_SECONDS)
