"""The control plane over HTTP, as operators' commands and agents call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

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
from cloudforest.base.files import MAX_DATA_BYTES
from cloudforest.base.inputs import InputRefused, read_stream
from cloudforest.base.secrets import Secret
from cloudforest.base.values import Value
from cloudforest.model.cycles import LogQuery
from cloudforest.model.identity import (
    BootstrapRequest,
    BootstrapResponse,
    EnrolRequest,
    EnrolResponse,
)
from cloudforest.model.messages import Lookup
from cloudforest.model.registration import Registration, Revision

_CONNECT_SECONDS = 10
T = TypeVar("T")
JsonObject = dict[str, Any]
_Headers = Mapping[str, str] | None
USER_HEADER = "Cloudforest-User"
"""The header with the caller's account on this machine, percent-encoded."""


class Bug(CloudforestError):  # noqa: N818 - named for what happened
    """The control plane hit a bug and wrote a report."""

    exit_code = 70


_ERRORS_BY_KIND: dict[str, type[CloudforestError]] = {
    kind.__name__: kind
    for kind in (Refused, Stale, Busy, Rejected, Unavailable, Misconfigured, Bug)
}


def _error_from_message(message: JsonObject) -> CloudforestError:
    """Turn `{"error": {"kind", "message"}}` back into the original error."""
    error = message["error"]
    return _ERRORS_BY_KIND.get(error["kind"], Rejected)(error["message"])


class _ControlPlaneHttp:
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
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.reveal()}"
        if user is not None:
            headers[USER_HEADER] = quote(user)
        limits = aiohttp.ClientTimeout(timeout, sock_connect=_CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(headers=headers, timeout=limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._session.close()

    async def _call(
        self, method: str, path: str, body: Any = None, headers: _Headers = None
    ) -> bytes:
        async with self._exchange(method, path, body, headers) as response:
            return bytes(await self._read(response))

    async def _read(self, response: aiohttp.ClientResponse) -> bytearray:
        try:
            return await read_stream(response.content.iter_any(), MAX_DATA_BYTES)
        except InputRefused as refused:
            raise Rejected(
                f"{self.url} answered with {refused}. Check the address, and any proxy"
                " in between."
            ) from None

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, body: Any = None, headers: _Headers = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(
                method, self.url + path, data=data, headers=headers
            ) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise _error_from_response(
                        await self._read(response), response.status
                    )
                yield response
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Unavailable(
                f"The control plane at {self.url} does not answer ({error}). "
                "Check that `cloudforest serve` is running."
            ) from error


def _error_from_response(body: bytearray, status: int) -> CloudforestError:
    try:
        return _error_from_message(msgspec.json.decode(body))
    except (msgspec.DecodeError, KeyError, TypeError):
        return Rejected(f"The control plane answered with status {status}.")


class AgentControlPlaneClient(_ControlPlaneHttp):
    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        return await self._post("/agent/enrol", request, EnrolResponse)

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse:
        return await self._post("/agent/bootstrap", request, BootstrapResponse)

    async def _post(self, path: str, request: Value, kind: type[T]) -> T:
        try:
            answer = await self._call("POST", path, request)
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise Rejected(
                f"{self.url} did not answer as a control plane of this version does"
                f" ({error}). Check the address, and any proxy in between."
            ) from error


class CurrentRegistration(Value, frozen=True):
    """The registered tree; revision 0 means that nothing is registered."""

    revision: int
    registration: Registration | None = None


def _path(kind: str, name: str, action: str) -> str:
    return f"/{kind}/{quote(name, safe='')}/{action}"


class ControlPlaneClient(_ControlPlaneHttp):
    """Calls for operators; JSON objects are as documented."""

    async def load_registration(self) -> CurrentRegistration:
        body = await self._call("GET", "/registration")
        return msgspec.json.decode(body, type=CurrentRegistration)

    async def load_revision(self, number: int) -> Revision | None:
        body = await self._call("GET", f"/registration?revision={number}")
        return msgspec.json.decode(body, type=Revision | None)

    async def register(
        self, registration: Registration, *, base: int, **audit_details: str | None
    ) -> int:
        """Replace the registration; raise Stale unless `base` is the latest revision.

        `audit_details`, `plan` and `commit`, are kept in the audit.
        """
        query = urlencode({key: text for key, text in audit_details.items() if text})
        path, headers = f"/registration?{query}", {"If-Match": f'"{base}"'}
        answer = await self._call("PUT", path, registration, headers)
        return int(msgspec.json.decode(answer, type=JsonObject)["revision"])

    def impact(
        self, registration: Registration, *, with_names: bool = False
    ) -> AsyncIterator[JsonObject]:
        """Yield `{"job", "phase", "done", "total"}` as progress, and last the report.

        The report has the `impacts` of the next cycles and the `consequences`.
        `with_names` adds samples of the affected objects by name.
        """
        path = "/impact?samples=names" if with_names else "/impact"
        return self._stream_messages(path, registration)

    async def create_agent_token(self, name: str) -> str:
        return str((await self._post(_path("agents", name, "token")))["token"])

    async def status(self) -> JsonObject:
        answer = await self._call("GET", "/status")
        return msgspec.json.decode(answer, type=JsonObject)

    async def audit(self) -> AsyncIterator[JsonObject]:
        """Yield the audit records, the oldest first."""
        last = 0
        while records := await self._list(f"/audit?after={last}"):
            for each in records:
                yield each
            last = records[-1]["id"]

    async def jobs(self) -> list[JsonObject]:
        return await self._list("/jobs")

    def run_job(self, name: str) -> AsyncIterator[JsonObject]:
        """Yield `{"phase", "done", "total"}` as progress, and last `{"cycle"}`."""
        return self._stream_messages(_path("jobs", name, "run"))

    def drift(self, name: str, *, repair: bool) -> AsyncIterator[JsonObject]:
        """Yield `{"drifted"}` for each drift, and last `{"ended"}`."""
        path = _path("jobs", name, "drift")
        return self._stream_messages(path, {"repair": repair})

    async def explain(self, job: str, lookup: Lookup) -> JsonObject:
        return await self._post(_path("jobs", job, "explain"), lookup)

    async def explain_planned(
        self, job: str, lookup: Lookup, registration: Registration
    ) -> JsonObject:
        """Explain as if this registration had replaced the current one."""
        body = {"registration": registration, "lookup": lookup}
        return await self._post(_path("impact", job, "explain"), body)

    async def provision(self, job: str, lookup: Lookup) -> JsonObject:
        """Write one object now; return the same steps, with the target's answer."""
        return await self._post(_path("jobs", job, "provision"), lookup)

    async def pause_job(self, name: str) -> None:
        await self._post(_path("jobs", name, "pause"))

    async def start_job(self, name: str) -> None:
        await self._post(_path("jobs", name, "start"))

    async def restart_job(self, name: str, scopes: Sequence[str]) -> list[str]:
        """Return what was reset; without scopes, Graph's default."""
        path = _path("jobs", name, "restart")
        return list((await self._post(path, {"resetScope": scopes}))["reset"])

    def escrowed_objects(self, name: str) -> AsyncIterator[JsonObject]:
        return self._stream("GET", _path("jobs", name, "escrow"))

    async def retry_escrow(self, name: str, object_id: str | None) -> int:
        """Make the escrow of one object, or of all (None), due; return how many."""
        path = _path("jobs", name, "escrow/retry")
        return int((await self._post(path, {"object": object_id}))["retried"])

    async def stages(self, job: str | None) -> list[JsonObject]:
        return await self._list(f"/stages?{urlencode({'job': job} if job else {})}")

    async def staged_objects(self, stage: str) -> AsyncIterator[JsonObject]:
        after, path = "", _path("stages", stage, "objects")
        while page := await self._list(f"{path}?{urlencode({'after': after})}"):
            for each in page:
                yield each
            after = page[-1]["key"]

    async def allow_stage(self, stage: str, until: datetime, by: str) -> JsonObject:
        return await self._post(
            _path("stages", stage, "allow"), {"until": until, "by": by}
        )

    async def discard_stage(self, stage: str) -> JsonObject:
        return await self._post(_path("stages", stage, "discard"))

    def logs(self, query: LogQuery, *, after: int = 0) -> AsyncIterator[JsonObject]:
        """Yield the entries that were stored after the one with number `after`."""
        fields: JsonObject = msgspec.to_builtins(query)
        filters = {key: value for key, value in fields.items() if value is not None}
        return self._stream("GET", f"/logs?{urlencode({**filters, 'after': after})}")

    async def _post(self, path: str, body: Any = None) -> JsonObject:
        answer = await self._call("POST", path, body)
        return msgspec.json.decode(answer, type=JsonObject)

    async def _list(self, path: str) -> list[JsonObject]:
        return msgspec.json.decode(await self._call("GET", path), type=list[JsonObject])

    async def _stream_messages(
        self, path: str, body: Any = None
    ) -> AsyncIterator[JsonObject]:
        async for message in self._stream("POST", path, body):
            if "error" in message:
                raise _error_from_message(message)
            yield message

    async def _stream(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[JsonObject]:
        """Yield the lines of a streamed answer; a line may have any length."""
        rest = b""
        async with self._exchange(method, path, body) as response:
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > MAX_DATA_BYTES:
                    raise Rejected(f"{self.url} answered with a line without end.")
                for line in lines:
                    yield msgspec.json.decode(line)
        if rest:
            yield msgspec.json.decode(rest)
