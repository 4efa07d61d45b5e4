"""One answer on its way to the service: in order, in a window, with a sign of life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from cloudforest.adapters.bus import protocol
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.model.messages import Closing, Page

Send = Callable[[bytes], Awaitable[object]]


@dataclass(frozen=True)
class Pace:
    """`window` is in pages, the rest in seconds."""

    window: int = 4
    beat: float = 5.0
    resend: float = 10.0
    patience: float = 60.0


class Delivery:
    """Sends the pages of one answer, again if need be, until all are acknowledged."""

    def __init__(self, pace: Pace, *, send: Send, max_payload: int) -> None:
        self._pace = pace
        self._send = send
        self._max_payload = max_payload
        self._unacknowledged: dict[int, bytes] = {}
        self._progress = asyncio.Event()
        self._last_progress = time.monotonic()
        self._last_sent = time.monotonic()

    async def run(self, pages: AsyncIterator[Page], blank: Page) -> None:
        """Deliver `pages`; `blank` names agent and request should they fail to come.

        Raises Unavailable when nothing is acknowledged any more.
        """
        beat = asyncio.create_task(self._keep_alive(), name="keep alive")
        work = asyncio.create_task(self._deliver(pages, blank), name="deliver")
        try:
            await asyncio.wait({beat, work}, return_when=asyncio.FIRST_COMPLETED)
            await (work if work.done() else beat)
        finally:
            beat.cancel()
            work.cancel()
            await asyncio.gather(beat, work, return_exceptions=True)

    async def _deliver(self, pages: AsyncIterator[Page], blank: Page) -> None:
        await self._send(protocol.ACCEPTED)
        following = 0
        try:
            async for page in pages:
                await self._post(page)
                following = page.sequence + 1
        except CloudforestError as error:
            closing = Closing(complete=False, error=str(error))
            await self._post(_closed(blank, following, closing))
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()
        await self._wait_until(lambda: not self._unacknowledged)

    async def _post(self, page: Page) -> None:
        data = await asyncio.to_thread(protocol.pack, page)
        if len(data) > self._max_payload:
            raise Unavailable(
                f"A page of {len(data)} bytes is more than the bus takes at once"
                f" ({self._max_payload}); raise max_payload of the bus."
            )
        await self._wait_until(
            lambda: len(self._unacknowledged) < self._pace.window,
        )
        if not self._unacknowledged:
            self._last_progress = time.monotonic()
        self._unacknowledged[page.sequence] = data
        self._last_sent = time.monotonic()
        await self._send(data)

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._progress.clear()
            await self._progress.wait()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._pace.beat)
            await self._send(protocol.ALIVE)
            now = time.monotonic()
            waited = now - self._last_progress
            if self._unacknowledged and waited > self._pace.patience:
                raise Unavailable("The service no longer acknowledges pages.")
            if now - max(self._last_sent, self._last_progress) > self._pace.resend:
                await self.resend()

    def acknowledged(self, sequence: int) -> None:
        """Note that the service holds this page and those before it."""
        for each in [each for each in self._unacknowledged if each <= sequence]:
            del self._unacknowledged[each]
        self._last_progress = time.monotonic()
        self._progress.set()

    async def resend(self) -> None:
        """Send again what may have been lost; a page is known by its number."""
        self._last_sent = time.monotonic()
        for data in tuple(self._unacknowledged.values()):
            await self._send(data)


def _closed(blank: Page, sequence: int, closing: Closing) -> Page:
    return Page(
        agent=blank.agent, request=blank.request, sequence=sequence, closing=closing
    )
