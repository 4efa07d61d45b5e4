"""HTTP exchanges with a control plane, failures as our errors; and agents' calls."""

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
T = TypeVar("T")
USER_HEADER = "Cloudforest-User"
"""The header with the caller's account on this machine, percent-encoded."""


class Bug(CloudforestError):  # noqa: N818 - named for what happened
    """The control plane hit a bug and wrote a report."""

    exit_code = 70


_ERRORS_BY_KIND["Bug"] = Bug


class ControlPlaneHttp:
    """A session with the control plane at `url`.

    `timeout` is in seconds. None sets no limit, because a whole cycle is one answer.
    `user` is the caller's account on this machine, if nothing else identifies them.
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

    async def call_json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        type: type[T],  # noqa: A002 - as in msgspec
    ) -> T:
        return msgspec.json.decode(await self.call(method, path, body), type=type)

    async def stream_lines(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[bytes]:
        """Yield the lines of a streamed answer; a line may have any length."""
        rest = b""
        async with self.exchange(method, path, body) as response:
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
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
                f"The control plane at {self.url} does not answer ({error}). "
                "Check that `cloudforest serve` is running."
            ) from error


def error_from_response(body: bytes, status: int) -> CloudforestError:
    try:
        return error_from_message(msgspec.json.decode(body))
    except (msgspec.DecodeError, KeyError, TypeError):
        return Rejected(f"The control plane answered with status {status}.")


def error_from_message(message: dict[str, Any]) -> CloudforestError:
    """Turn `{"error": {"kind", "message"}}` back into the original error."""
    error = message["error"]
    return _ERRORS_BY_KIND.get(error["kind"], Rejected)(error["message"])


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
                f"{self.url} did not answer as a control plane of this version does"
                f" ({error}). Check the address, and any proxy in between."
            ) from error
