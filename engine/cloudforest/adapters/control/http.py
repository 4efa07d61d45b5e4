"""One HTTP exchange with a control plane, its failures turned into our errors.

What an agent asks of the control plane: enrolment and bootstrap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from cloudforest.base.errors import (
    Busy,
    CloudforestError,
    Misconfigured,
    Refused,
    Rejected,
    Stale,
    Unavailable,
)
from cloudforest.base.secrets import Secret
from cloudforest.model.identity import (
    BootstrapRequest,
    BootstrapResponse,
    EnrolRequest,
    EnrolResponse,
)

_ERRORS_BY_KIND: dict[str, type[CloudforestError]] = {
    kind.__name__: kind
    for kind in (Refused, Stale, Busy, Rejected, Unavailable, Misconfigured)
}
_CONNECT_SECONDS = 10
USER_HEADER = "Cloudforest-User"
"""The header that says so, percent-encoded."""


class Bug(CloudforestError):  # noqa: N818 - named for what happened
    """The control plane met a bug of its own, and wrote a report."""

    exit_code = 70


_ERRORS_BY_KIND["Bug"] = Bug


class ControlPlaneHttp:
    """A session with the control plane at `url`; `timeout` is in seconds.

    Without a timeout an answer may take as long as it does: a cycle is one answer.
    `user` is whose account of this machine it is, if that is all we are known by.
    """

    def __init__(
        self,
        url: str,
        token: Secret | None = None,
        *,
        timeout: float | None = None,
        user: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        if user is not None:
            headers[USER_HEADER] = quote(user)
        limits = aiohttp.ClientTimeout(timeout, sock_connect=_CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(headers=headers, timeout=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        async with self.exchange(method, path, body, headers) as response:
            return await response.read()

    async def stream_lines(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[bytes]:
        """Yield the lines of an answer that comes bit by bit, however long they are."""
        rest = b""
        async with self.exchange(method, path, body) as response:
            async for part in response.content.iter_any():
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    yield line
        if rest:
            yield rest

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method,
                self.url + path,
                data=None if body is None else msgspec.json.encode(body),
                headers={"Content-Type": "application/json", **(headers or {})},
            ) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise error_from_response(await response.read(), response.status)
                yield response
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Unavailable(
                f"The control plane at {self.url} does not answer ({error}); "
                "is `cloudforest serve` running?"
            ) from error


def error_from_response(body: bytes, status: int) -> CloudforestError:
    try:
        return error_from_message(msgspec.json.decode(body))
    except (msgspec.DecodeError, KeyError, TypeError):
        return Rejected(f"The control plane answered with status {status}.")


def error_from_message(message: dict[str, Any]) -> CloudforestError:
    """Turn `{"error": {"kind", "message"}}` back into the error that it was."""
    error = message["error"]
    return _ERRORS_BY_KIND.get(error["kind"], Rejected)(error["message"])


T = TypeVar("T")


class AgentControlPlaneClient(ControlPlaneHttp):
    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        body = await self.call("POST", "/agent/enrol", request)
        return self._decode(body, EnrolResponse)

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse:
        body = await self.call("POST", "/agent/bootstrap", request)
        return self._decode(body, BootstrapResponse)

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise Rejected(
                f"What answers at {self.url} is no control plane of this version"
                f" ({error}). Check the address, and who sits between."
            ) from error
