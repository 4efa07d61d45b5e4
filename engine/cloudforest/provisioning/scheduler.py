"""The loop of `serve`: every job at its interval, none overlapping itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloudforest.base.clock import Clock, Sleep
from cloudforest.model.registration import Job, Registration
from cloudforest.program.schedule import next_start

LOOK_AGAIN = 5.0
"""Seconds after which a changed registration is noticed at the latest."""

ReadRegistration = Callable[[], Awaitable[Registration | None]]
RunJob = Callable[[str, Registration], Awaitable[object]]


@dataclass
class Scheduler:
    """Starts the cycles of every enabled job.

    `read` is asked anew for each tick, so a cycle runs what is registered then. `run`
    does not raise for what happens to one job. Missed ticks are one start. A job's
    jitter is a fraction in [0, 1), the same for as long as the service runs.
    """

    read: ReadRegistration
    run: RunJob
    clock: Clock
    sleep: Sleep = asyncio.sleep
    jitter: Callable[[], float] = random.random
    _started: dict[str, datetime] = field(default_factory=dict)
    _jitters: dict[str, float] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)

    def next_starts(self, jobs: Iterable[Job], now: datetime) -> dict[str, datetime]:
        """Return when each enabled job starts next, if it does not run then."""
        return {
            job.name: next_start(
                previous=self._started.get(job.name),
                now=now,
                interval=timedelta(seconds=job.interval),
                jitter=self._jitters.setdefault(job.name, self.jitter()),
            )
            for job in jobs
            if job.enabled
        }

    async def serve(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                registration = await self.read()
                pause = LOOK_AGAIN
                if registration is not None:
                    now = self.clock()
                    self._start_due(registration, now, tasks)
                    pause = self._pause(self.next_starts(registration.jobs, now), now)
                await self.sleep(pause)

    def _start_due(
        self, registration: Registration, now: datetime, tasks: asyncio.TaskGroup
    ) -> None:
        for name, start in self.next_starts(registration.jobs, now).items():
            if start <= now and name not in self._running:
                self._started[name] = now
                self._running.add(name)
                tasks.create_task(self._cycle(name, registration))

    async def _cycle(self, name: str, registration: Registration) -> None:
        try:
            await self.run(name, registration)
        finally:
            self._running.discard(name)

    @staticmethod
    def _pause(starts: dict[str, datetime], now: datetime) -> float:
        """Return the seconds until the next start, or until to look again.

        A job that is due and still runs starts when it is seen to have ended.
        """
        waits = [(start - now).total_seconds() for start in starts.values()]
        return min([LOOK_AGAIN, *(wait for wait in waits if wait > 0)])
