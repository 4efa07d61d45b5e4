"""The agent's end of the bus: receive requests, and deliver answers page by page.

Pages go out in order, a few unacknowledged ones at a time, with keep-alives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec
import structlog
from msgspec.structs import replace
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.connection import NatsConnection
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.base.nkey import NKey
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Closing, Page, SyncRequest, decode_request
from cloudforest.model.ports.bus import RequestHandler

Send = Callable[[bytes], Awaitable[object]]

log = structlog.get_logger()


@dataclass(frozen=True)
class DeliverySettings:
    """`window` is in pages, the rest in seconds."""

    window: int = 4
    keep_alive: float = 5.0
    resend_after: float = 10.0
    give_up_after: float = 60.0


@dataclass
class Delivery:
    """Sends the pages of one answer, and resends them until all are acknowledged."""

    settings: DeliverySettings
    send: Send
    max_payload: int
    _unacknowledged: dict[int, bytes] = field(default_factory=dict)
    _progress: asyncio.Event = field(default_factory=asyncio.Event)
    _last_progress: float = field(default_factory=time.monotonic)
    _last_sent: float = field(default_factory=time.monotonic)

    async def run(self, pages: AsyncIterator[Page], template: Page) -> None:
        """Deliver `pages`; `template` names agent and request if they fail to come.

        Raises Unavailable when the service stops acknowledging.
        """
        beat = asyncio.create_task(self._keep_alive(), name="keep alive")
        work = asyncio.create_task(self._deliver_pages(pages, template), name="deliver")
        try:
            await asyncio.wait({beat, work}, return_when=asyncio.FIRST_COMPLETED)
            await (work if work.done() else beat)
        finally:
            beat.cancel()
            work.cancel()
            await asyncio.gather(beat, work, return_exceptions=True)

    async def _deliver_pages(self, pages: AsyncIterator[Page], template: Page) -> None:
        await self.send(protocol.ACCEPTED)
        following = 0
        try:
            async for page in pages:
                await self._send_page(page)
                following = page.sequence + 1
        except CloudforestError as error:
            closing = Closing(complete=False, error=str(error))
            last = replace(template, sequence=following, closing=closing)
            await self._send_page(last)
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()
        await self._wait_until(lambda: not self._unacknowledged)

    async def _send_page(self, page: Page) -> None:
        data = await asyncio.to_thread(protocol.pack_page, page)
        if len(data) > self.max_payload:
            raise Unavailable(
                f"A page of {len(data)} bytes exceeds the bus's max_payload"
                f" ({self.max_payload} bytes). Increase max_payload."
            )
        await self._wait_until(lambda: len(self._unacknowledged) < self.settings.window)
        if not self._unacknowledged:
            self._last_progress = time.monotonic()
        self._unacknowledged[page.sequence] = data
        self._last_sent = time.monotonic()
        await self.send(data)

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._progress.clear()
            await self._progress.wait()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self.settings.keep_alive)
            await self.send(protocol.KEEP_ALIVE)
            now = time.monotonic()
            waited = now - self._last_progress
            if self._unacknowledged and waited > self.settings.give_up_after:
                raise Unavailable("The service stopped acknowledging pages.")
            silent = now - max(self._last_sent, self._last_progress)
            if silent > self.settings.resend_after:
                await self.resend()

    def acknowledge(self, sequence: int) -> None:
        """Forget this page and those before it: the service has stored them."""
        for each in [each for each in self._unacknowledged if each <= sequence]:
            del self._unacknowledged[each]
        self._last_progress = time.monotonic()
        self._progress.set()

    async def resend(self) -> None:
        """Resend what may be lost; the service knows duplicates by their sequence."""
        self._last_sent = time.monotonic()
        for data in tuple(self._unacknowledged.values()):
            await self.send(data)


@dataclass
class _ListenedDomain:
    answer: RequestHandler
    subscription: Subscription | None = None


@dataclass
class NatsListener:
    """Answers requests for the domains listened to; answers survive a reconnection."""

    agent: str
    key: NKey
    settings: DeliverySettings = DeliverySettings()
    _connection: NatsConnection | None = field(default=None, repr=False)
    _domains: dict[str, _ListenedDomain] = field(default_factory=dict)
    _deliveries: dict[str, Delivery] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self._connection.connected

    async def connect(self, access: BusAccess) -> None:
        async with self._lock:
            await self._connect(access)

    async def _connect(self, access: BusAccess) -> None:
        await self._disconnect()
        name, resend = f"agent {self.agent}", self._resend_deliveries
        connection = NatsConnection(name, self.key, access, on_reconnect=resend)
        await connection.open()
        async with AsyncExitStack() as undo:
            # A connection with half of the subscriptions would look healthy.
            undo.push_async_callback(self._disconnect)
            self._connection = connection
            await connection.subscribe(
                f"{protocol.inbox_subject(self.agent)}.>", self._handle_acknowledgement
            )
            for name in tuple(self._domains):
                await self._subscribe(name)
            undo.pop_all()
        await self._resend_deliveries()

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _resend_deliveries(self) -> None:
        for delivery in tuple(self._deliveries.values()):
            await delivery.resend()

    async def _subscribe(self, name: str) -> None:
        if self._connection is not None:
            domain = self._domains[name]

            async def receive(message: Msg) -> None:
                self._accept_request(message, domain.answer)

            domain.subscription = await self._connection.subscribe(
                protocol.request_subject(name), receive, queue=protocol.QUEUE_GROUP
            )

    async def renew_access(self, access: BusAccess) -> None:
        async with self._lock:
            current, new = self._connection, (access.urls, access.ca)
            known = current and (current.access.urls, current.access.ca)
            if current and current.connected and known == new:
                await current.renew(access)
            else:
                await self._connect(access)

    async def listen(self, domain: str, answer: RequestHandler) -> None:
        async with self._lock:
            await self._drop_domain(domain)
            self._domains[domain] = _ListenedDomain(answer)
            await self._subscribe(domain)

    async def unlisten(self, domain: str) -> None:
        """Accept no more requests of the domain; running answers continue."""
        async with self._lock:
            await self._drop_domain(domain)

    async def _drop_domain(self, domain: str) -> None:
        dropped = self._domains.pop(domain, None)
        if dropped and dropped.subscription and self._connection:
            await self._connection.unsubscribe(dropped.subscription)

    async def send_hint(self, domain: str) -> None:
        if self._connection is not None:
            await self._connection.publish(protocol.change_hint_subject(domain), b"")

    async def close(self) -> None:
        self._domains.clear()
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._lock:
            await self._disconnect()

    def _accept_request(self, message: Msg, answer: RequestHandler) -> None:
        try:
            request = decode_request(message.data)
            protocol.require_id(request.id)
        except (msgspec.MsgspecError, CloudforestError) as error:
            log.warning("invalid request ignored", reason=str(error))
            return
        # A repeated request is already being answered: our acceptance was lost.
        if request.id not in self._tasks:
            task = asyncio.create_task(
                self._deliver_answer(request, answer), name=f"answer {request.id}"
            )
            self._tasks[request.id] = task
            task.add_done_callback(lambda done: self._forget_request(request.id, done))

    async def _deliver_answer(
        self, request: SyncRequest, answer: RequestHandler
    ) -> None:
        subject = protocol.answer_subject(self.agent, request.id)
        reply = protocol.acknowledgement_subject(self.agent, request.id)

        async def send(data: bytes) -> None:
            if self._connection is not None:
                await self._connection.publish(subject, data, reply=reply)

        limit = self._connection.max_payload if self._connection else 0
        delivery = Delivery(self.settings, send=send, max_payload=limit)
        self._deliveries[request.id] = delivery
        template = Page(agent=self.agent, request=request.id, sequence=0)
        await delivery.run(answer(request), template)

    def _forget_request(self, request: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(request, None)
        self._deliveries.pop(request, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("answer given up", request=request, reason=str(error))

    async def _handle_acknowledgement(self, message: Msg) -> None:
        request = protocol.last_id(message.subject)
        if message.data == protocol.STOP:
            if request in self._tasks:
                self._tasks[request].cancel()
        elif request in self._deliveries and message.data.isdigit():
            self._deliveries[request].acknowledge(int(message.data))
