"""The control plane is away for an hour; the clock skips from timer to timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.support.agent import LIFE, NOW, Host, running

HOUR = timedelta(hours=1)
LONGEST_PAUSE = timedelta(minutes=2)


class HurryingLoop(asyncio.SelectorEventLoop):
    """An event loop that skips idle time to the next timer."""

    _ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._ahead += max(0.0, self._scheduled[0].when() - self.time())
        super()._run_once()


class LoopClock:
    """The loop's time, as a clock."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    def __call__(self) -> datetime:
        passed = asyncio.get_running_loop().time() - self._began
        return NOW + timedelta(seconds=passed)


async def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(1)


async def _an_hour_away() -> tuple[int, timedelta]:
    """Return the attempts in that hour, and the time to recover."""
    host = Host(clock=LoopClock())
    async with running(host, check_interval=15) as bus:
        await _wait(lambda: bus.is_listening_to("lab.test"))
        host.control_away = True
        tried = host.bootstraps
        await asyncio.sleep(LIFE.total_seconds())
        # The credential has ended, and with it the connection.
        bus._connected = False
        await asyncio.sleep((HOUR - LIFE).total_seconds())
        tries = host.bootstraps - tried
        assert not bus.is_connected
        host.control_away = False
        back = host.clock()
        await _wait(lambda: bus.is_connected and bus.is_listening_to("lab.test"))
        return tries, host.clock() - back


def test_agent_retries_with_growing_delays_and_recovers_within_the_longest():
    with asyncio.Runner(loop_factory=HurryingLoop) as runner:
        tries, took = runner.run(_an_hour_away())
    assert 25 <= tries <= 80
    assert took <= LONGEST_PAUSE + timedelta(seconds=5)
