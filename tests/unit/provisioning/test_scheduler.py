"""The loop of `serve`, with a manual clock and with real ticks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
from tests.support.clock import ManualClock

from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import domain_id
from cloudforest.model.registration import Job, Registration, Tenant
from cloudforest.provisioning import scheduler
from cloudforest.provisioning.scheduler import (
    MAX_HINTS,
    SECONDS_PER_HINT,
    HintBudget,
    Scheduler,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Enough(Exception):  # noqa: N818 - the end of a test
    pass


def job(name: str, *, interval: int = 120, enabled: bool = True) -> Job:
    return Job(
        name=name,
        domain="contoso.com",
        target="cloud",
        scope="all",
        mappings=(),
        interval=interval,
        enabled=enabled,
    )


def registered(*jobs: Job) -> Registration:
    tenant = Tenant(name="contoso", scenario="new-hybrid-customer")
    return Registration(tenant=tenant, jobs=jobs)


@dataclass
class Serving:
    """A scheduler whose time moves when it sleeps; a cycle lasts `lasts` seconds."""

    registration: Registration | None
    until: timedelta
    lasts: float = 0
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    starts: list[tuple[str, float]] = field(default_factory=list)
    overlaps: int = 0
    running: set[str] = field(default_factory=set)
    holds: dict[str, datetime | None] = field(default_factory=dict)
    scheduler: Scheduler | None = None

    def seconds(self) -> float:
        return (self.clock.now - NOON).total_seconds()

    async def sleep(self, seconds: float) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.clock.now += timedelta(seconds=seconds)
        if self.clock.now - NOON > self.until:
            raise Enough

    async def read(self) -> Registration | None:
        return self.registration

    async def held(self, _registration: Registration) -> dict[str, datetime | None]:
        return self.holds

    async def cycle(self, name: str, _registration: Registration) -> None:
        self.overlaps += name in self.running
        self.running.add(name)
        self.starts.append((name, self.seconds()))
        ends = self.seconds() + self.lasts
        while self.seconds() < ends:
            await asyncio.sleep(0)
        self.running.discard(name)

    def made(self, jitter: float = 0) -> Scheduler:
        return Scheduler(
            self.read, self.held, self.cycle, self.clock, self.sleep, lambda: jitter
        )

    async def serve(self, jitter: float = 0) -> list[tuple[str, float]]:
        self.scheduler = self.made(jitter)
        try:
            await self.scheduler.serve()
        except* Enough:
            pass
        return self.starts


async def test_enabled_jobs_start_at_their_interval():
    jobs = registered(job("a"), job("b", interval=300), job("c", enabled=False))
    starts = await Serving(jobs, timedelta(minutes=10)).serve()

    times = {name: [at for each, at in starts if each == name] for name in "abc"}
    assert times["a"] == [0, 120, 240, 360, 480, 600]
    assert times["b"] == [0, 300, 600]
    assert times["c"] == []


async def test_slow_cycle_never_overlaps_and_missed_ticks_start_once():
    serving = Serving(registered(job("a")), timedelta(minutes=15), lasts=300)
    starts = [at for _, at in await serving.serve()]

    assert serving.overlaps == 0
    gaps = [after - before for before, after in pairwise(starts)]
    assert len(gaps) >= 2
    assert all(300 <= gap <= 306 for gap in gaps)


async def test_jitter_spreads_the_starts():
    starts = await Serving(registered(job("a")), timedelta(minutes=5)).serve(0.5)

    assert [at for _, at in starts] == [0, 126, 252]


async def test_changed_registration_counts_from_the_next_tick():
    serving = Serving(None, timedelta(seconds=60))
    scheduled = asyncio.create_task(serving.serve())
    await asyncio.sleep(0)
    serving.registration = registered(job("late"))

    assert [name for name, _ in await scheduled] == ["late"]


async def test_held_job_starts_when_its_hold_ends_and_never_without_an_end():
    serving = Serving(registered(job("a"), job("b")), timedelta(minutes=10))
    serving.holds = {"a": NOON + timedelta(minutes=7), "b": None}

    assert await serving.serve() == [("a", 420), ("a", 540)]


class Hinted(Serving):
    """Send hints at these seconds, between two ticks."""

    hints: tuple[float, ...] = ()

    async def sleep(self, seconds: float) -> None:
        assert self.scheduler is not None
        until = self.seconds() + seconds
        due = [at for at in self.hints if self.seconds() <= at < until]
        self.hints = tuple(at for at in self.hints if at not in due)
        for at in due:
            self.clock.now = NOON + timedelta(seconds=at)
            self.scheduler.add_hint(domain_id("contoso.com"))
        await super().sleep(until - self.seconds())


async def starts_with_hints(*hints: float, lasts: float = 0) -> list[float]:
    other = msgspec.structs.replace(job("other"), domain="fabrikam.com")
    serving = Hinted(registered(job("a"), other), timedelta(seconds=100), lasts=lasts)
    serving.hints = hints
    starts = await serving.serve()

    assert serving.overlaps == 0
    assert [at for name, at in starts if name == "other"] == [0]
    return [at for name, at in starts if name == "a"]


async def test_hint_starts_the_jobs_of_its_domain_immediately():
    first, second = await starts_with_hints(50)

    assert first == 0
    assert 50 <= second <= 55


async def test_hints_that_arrive_together_start_once():
    assert len(await starts_with_hints(50, 50.1, 50.2, 50.3)) == 2


async def test_hint_during_a_cycle_starts_the_job_once_more_afterwards():
    starts = await starts_with_hints(3, 12, 13, 14, lasts=20)

    assert len(starts) == 2
    assert 20 <= starts[1] <= 26


async def test_hinted_job_keeps_the_shortest_interval():
    starts = await starts_with_hints(*(0.1 * tick for tick in range(100)))

    assert all(after - before >= 1 for before, after in pairwise(starts))
    assert len(starts) > 1


async def test_flood_of_hints_does_not_start_a_flood_of_cycles(monkeypatch):
    monkeypatch.setattr(scheduler, "MAX_HINTS", 4)
    serving = Serving(registered(job("a")), timedelta(minutes=10))
    flooded = serving.made()
    async with asyncio.TaskGroup() as tasks:
        for second in range(0, 60, 2):
            serving.clock.now = NOON + timedelta(seconds=second)
            flooded.add_hint(domain_id("contoso.com"))
            await flooded._start_due_jobs(tasks)
            await asyncio.sleep(0)

    starts = [at for _, at in serving.starts]
    assert starts[:4] == [0, 2, 4, 6]
    assert 12 <= len(starts) <= 4 + 60 / SECONDS_PER_HINT
    # Hints over the budget count later.
    assert starts[-1] >= 50


def test_domains_do_not_share_a_hint_budget():
    budget = HintBudget()
    assert all(budget.take_hint("a", NOON) for _ in range(MAX_HINTS))
    assert not budget.take_hint("a", NOON)
    assert budget.take_hint("b", NOON)
    assert not budget.has_left("a", NOON - timedelta(hours=1))
    assert budget.has_left("a", NOON + timedelta(seconds=SECONDS_PER_HINT))


async def test_hint_does_not_start_a_held_job():
    serving = Hinted(registered(job("a")), timedelta(seconds=100))
    serving.hints, serving.holds = (10.0, 20.0), {"a": None}

    assert await serving.serve() == []


async def test_start_now_starts_the_job_immediately():
    serving = Serving(registered(job("a")), timedelta(seconds=100))
    scheduled = asyncio.create_task(serving.serve())
    while serving.seconds() < 50:
        await asyncio.sleep(0)
    assert serving.scheduler is not None
    serving.scheduler.start_now("a")

    [_, (_, second)] = await scheduled
    assert 50 <= second < 60


async def test_jobs_start_with_a_real_clock():
    ticks: list[datetime] = []
    enough = asyncio.Event()
    jobs = registered(msgspec.structs.replace(job("a"), interval=1))

    async def read() -> Registration:
        return jobs

    async def cycle(_name: str, _registration: Registration) -> None:
        ticks.append(system_clock())
        if len(ticks) == 3:
            enough.set()

    async def held(_registration: Registration) -> dict[str, datetime | None]:
        return {}

    scheduler = Scheduler(read, held, cycle, system_clock)
    serving = asyncio.create_task(scheduler.serve())
    await asyncio.wait_for(enough.wait(), 10)
    serving.cancel()

    gaps = [(after - before).total_seconds() for before, after in pairwise(ticks)]
    assert all(0.95 < gap < 1.6 for gap in gaps)


async def test_scheduler_survives_a_short_failure_of_the_store():
    serving = Serving(registered(job("a")), timedelta(minutes=5))
    read, outages = serving.read, iter([True, False, True])

    async def shaky() -> Registration | None:
        if next(outages, False):
            raise Unavailable("Database error: timeout.")
        return await read()

    serving.read = shaky
    starts = [at for _, at in await serving.serve()]

    assert starts[0] == 5
    assert len(starts) == 3


async def test_hints_are_received_again_after_a_failure_of_the_bus():
    scheduler = Serving(registered(job("a")), timedelta(minutes=5)).made()
    heard = asyncio.Event()
    outages = iter([True])

    async def hints() -> AsyncIterator[str]:
        if next(outages, False):
            raise Unavailable("The bus cannot be used.")
        yield domain_id("contoso.com")
        heard.set()
        await asyncio.Event().wait()

    hearing = asyncio.create_task(scheduler.receive_hints(hints))
    async with asyncio.timeout(30):
        await heard.wait()
    hearing.cancel()


async def test_clock_that_is_set_back_does_not_stop_jobs():
    serving = Serving(registered(job("a")), timedelta(minutes=5))
    scheduled = asyncio.create_task(serving.serve())
    while serving.seconds() < 60:
        await asyncio.sleep(0)
    serving.clock.now -= timedelta(hours=1)

    starts = [at for _, at in await scheduled]

    assert starts[1] <= 65 - 3600
