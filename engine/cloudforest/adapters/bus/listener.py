"""The bus as an agent sees it: one outbound TLS connection to NATS."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from cloudforest.adapters.bus import protocol
from cloudforest.adapters.bus.connection import Connection
from cloudforest.adapters.bus.delivery import Delivery, Pace
from cloudforest.base.errors import CloudforestError
from cloudforest.base.nkey import NKey
from cloudforest.model.identity import BusAccess
from cloudforest.model.messages import Page, SyncRequest, decode_request
from cloudforest.model.ports import Answerer

log = structlog.get_logger()


@dataclass
class _Domain:
    answer: Answerer
    subscription: Subscription | None = None


class NatsListener:
    """Answers requests for the domains listened to; answers survive a reconnection."""

    def __init__(self, agent: str, key: NKey, pace: Pace | None = None) -> None:
        self._agent = agent
        self._key = key
        self._pace = pace or Pace()
        self._connection: Connection | None = None
        self._domains: dict[str, _Domain] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connected

    async def connect(self, access: BusAccess) -> None:
        async with self._lock:
            await self._connect(access)

    async def _connect(self, access: BusAccess) -> None:
        await self._disconnect()
        connection = Connection(
            f"agent {self._agent}", self._key, access, reconnected=self._returned
        )
        await connection.open()
        async with AsyncExitStack() as undo:
            # Half of the subscriptions would look like all of them.
            undo.push_async_callback(self._disconnect)
            self._connection = connection
            await connection.subscribe(
                f"{protocol.inbox(self._agent)}.>", self._acknowledged
            )
            for name in tuple(self._domains):
                await self._subscribe(name)
            undo.pop_all()
        await self._returned()

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _returned(self) -> None:
        for delivery in tuple(self._deliveries.values()):
            await delivery.resend()

    async def _subscribe(self, name: str) -> None:
        if self._connection is not None:
            domain = self._domains[name]

            async def received(message: Msg) -> None:
                self._accept(message, domain.answer)

            domain.subscription = await self._connection.subscribe(
                protocol.requests(name), received, queue=protocol.QUEUE
            )

    async def renew(self, access: BusAccess) -> None:
        async with self._lock:
            held = self._connection
            if held is None or not held.connected or _elsewhere(held.access, access):
                await self._connect(access)
            else:
                await held.renew(access)

    async def listen(self, domain: str, answer: Answerer) -> None:
        async with self._lock:
            await self._drop(domain)
            self._domains[domain] = _Domain(answer)
            await self._subscribe(domain)

    async def unlisten(self, domain: str) -> None:
        """Take no more requests of the domain; answers under way go on."""
        async with self._lock:
            await self._drop(domain)

    async def _drop(self, domain: str) -> None:
        dropped = self._domains.pop(domain, None)
        if dropped and dropped.subscription and self._connection:
            await self._connection.unsubscribe(dropped.subscription)

    async def hint(self, domain: str) -> None:
        if self._connection is not None:
            await self._connection.publish(protocol.hints(domain), b"")

    async def close(self) -> None:
        self._domains.clear()
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._lock:
            await self._disconnect()

    def _accept(self, message: Msg, answer: Answerer) -> None:
        try:
            request = decode_request(message.data)
            protocol.checked_id(request.id)
        except (msgspec.MsgspecError, KeyError, TypeError, CloudforestError) as error:
            log.warning("request refused", reason=str(error))
            return
        # A repeated request is ours already: the first sign of life was lost.
        if request.id not in self._tasks:
            task = asyncio.create_task(
                self._deliver(request, answer), name=f"answer {request.id}"
            )
            self._tasks[request.id] = task
            task.add_done_callback(lambda done: self._finished(request.id, done))

    async def _deliver(self, request: SyncRequest, answer: Answerer) -> None:
        subject = protocol.answers(self._agent, request.id)
        reply = protocol.acknowledgements(self._agent, request.id)

        async def send(data: bytes) -> None:
            if self._connection is not None:
                await self._connection.publish(subject, data, reply=reply)

        limit = self._connection.max_payload if self._connection else 0
        delivery = Delivery(self._pace, send=send, max_payload=limit)
        self._deliveries[request.id] = delivery
        blank = Page(agent=self._agent, request=request.id, sequence=0)
        await delivery.run(answer(request), blank)

    def _finished(self, request: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(request, None)
        self._deliveries.pop(request, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("answer given up", request=request, reason=str(error))

    async def _acknowledged(self, message: Msg) -> None:
        request = protocol.request_of(message.subject)
        if message.data == protocol.STOP:
            if request in self._tasks:
                self._tasks[request].cancel()
        elif request in self._deliveries and message.data.isdigit():
            self._deliveries[request].acknowledged(int(message.data))


def _elsewhere(held: BusAccess, access: BusAccess) -> bool:
    return (held.urls, held.ca) != (access.urls, access.ca)
