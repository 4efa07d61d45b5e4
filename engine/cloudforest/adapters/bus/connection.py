"""One NATS connection: TLS, and a user JWT that is renewed before it expires."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import nats.errors
import structlog
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from cloudforest.base.errors import Unavailable
from cloudforest.base.nkey import NKey
from cloudforest.base.processes import await_cancellable
from cloudforest.model.identity import BusAccess

CONNECT_SECONDS = 5.0
PENDING_BYTES = 16 * 1024 * 1024
"""The most that may wait in memory for a lost connection to return."""

MessageHandler = Callable[[Msg], Awaitable[None]]

log = structlog.get_logger()


@dataclass(eq=False)
class NatsConnection:
    """Reconnects by itself; ends for good when its JWT expires [nats-py 2.16].

    `on_reconnect` is called after each reconnection: messages in flight were lost.
    """

    name: str
    key: NKey
    access: BusAccess = field(repr=False)
    on_reconnect: Callable[[], Awaitable[None]] | None = None
    _client: Client = field(default_factory=Client, repr=False)
    _reconnect_event: asyncio.Event = field(default_factory=asyncio.Event)
    _last_error: Exception | None = None
    _error_count: int = 0
    _all_servers_tried: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    @property
    def max_payload(self) -> int:
        return self._client.max_payload

    async def open(self) -> None:
        """Connect; raise Unavailable if no server accepts us within CONNECT_SECONDS."""
        connecting = asyncio.create_task(self._connect())
        refused = asyncio.create_task(self._all_servers_tried.wait())
        try:
            await asyncio.wait(
                {connecting, refused},
                timeout=CONNECT_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            connected = connecting.done() and connecting.exception() is None
        finally:
            connecting.cancel()
            refused.cancel()
            await asyncio.gather(connecting, refused, return_exceptions=True)
        if not connected:
            await self._client.close()
            error = self._last_error or TimeoutError("no answer")
            raise self._make_unavailable_error(error)

    async def _connect(self) -> None:
        try:
            await self._client.connect(
                list(self.access.urls),
                name=self.name,
                tls=ssl.create_default_context(cadata=self.access.ca),
                # Otherwise TLS is used only if the server asks for it in clear text.
                tls_handshake_first=True,
                user_jwt_cb=self._get_jwt,
                signature_cb=self._sign_nonce,
                error_cb=self._record_error,
                reconnected_cb=self._handle_reconnect,
                max_reconnect_attempts=-1,
                reconnect_time_wait=1,
                ping_interval=10,
                pending_size=PENDING_BYTES,
            )
        except (nats.errors.Error, OSError) as error:
            await self._record_error(error)
            raise

    def _get_jwt(self) -> bytes:
        return self.access.jwt.encode()

    def _sign_nonce(self, nonce: str) -> bytes:
        return base64.b64encode(self.key.sign(nonce.encode()))

    async def _record_error(self, error: Exception) -> None:
        self._last_error = error
        self._error_count += 1
        # nats-py would try its servers in turn for ever.
        if self._error_count >= len(self.access.urls):
            self._all_servers_tried.set()
        log.debug("bus error", connection=self.name, reason=str(error))

    async def _handle_reconnect(self) -> None:
        self._reconnect_event.set()
        if self.on_reconnect is not None:
            await self.on_reconnect()

    def _make_unavailable_error(self, reason: Exception) -> Unavailable:
        return Unavailable(
            f"The bus at {', '.join(self.access.urls)} cannot be used"
            f" ({str(reason) or type(reason).__name__})."
            " Check that it is running, and that its certificate is from this control"
            " plane."
        )

    async def renew(self, access: BusAccess) -> None:
        """Switch to another JWT for the same key, before the old one expires.

        A JWT callback is not enough: nats-py closes for good when the server ends an
        expired session. So we reconnect before that.
        """
        self.access = access
        self._reconnect_event.clear()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await await_cancellable(self._client.force_reconnect())
                await self._reconnect_event.wait()
        except (nats.errors.Error, OSError) as error:
            raise self._make_unavailable_error(self._last_error or error) from error

    def set_servers(self, urls: tuple[str, ...]) -> None:
        """Set where to reconnect; a connection that stands is not touched."""
        self.access = replace(self.access, urls=urls)
        with suppress(nats.errors.ConnectionClosedError):
            self._client.set_server_pool(list(urls))

    async def publish(self, subject: str, data: bytes, *, reply: str = "") -> bool:
        """Return whether the message was sent; lost ones are requested again."""
        try:
            await await_cancellable(self._client.publish(subject, data, reply=reply))
        except nats.errors.MaxPayloadError:
            raise
        except (nats.errors.Error, OSError) as error:
            await self._record_error(error)
            return False
        return True

    async def subscribe(
        self, subject: str, receive: MessageHandler, *, queue: str = ""
    ) -> Subscription:
        try:
            return await await_cancellable(self._subscribe(subject, receive, queue))
        except (nats.errors.Error, OSError) as error:
            raise self._make_unavailable_error(error) from error

    async def _subscribe(
        self, subject: str, receive: MessageHandler, queue: str
    ) -> Subscription:
        subscription = await self._client.subscribe(
            subject, queue=queue, cb=receive, pending_bytes_limit=PENDING_BYTES
        )
        # A subscription counts only once the server has it.
        if self._client.is_connected:
            await self._client.flush(timeout=int(CONNECT_SECONDS))
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        try:
            await await_cancellable(subscription.unsubscribe())
        except (nats.errors.Error, OSError) as error:
            await self._record_error(error)

    async def close(self) -> None:
        # If the server was killed, nats-py may wait for its reply.
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await await_cancellable(self._client.close())
