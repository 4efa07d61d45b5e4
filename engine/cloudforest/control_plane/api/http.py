"""Reads requests and makes responses: JSON, roles, errors with their kind, streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloudforest.adapters.control import USER_HEADER
from cloudforest.base.errors import (
    Busy,
    CloudforestError,
    Misconfigured,
    Refused,
    Rejected,
    Stale,
    Unauthenticated,
    Unavailable,
)
from cloudforest.base.files import MAX_BYTES
from cloudforest.base.inputs import InputRefused, read_stream
from cloudforest.base.logs import write_bug_report
from cloudforest.control_plane.drift import LineSender
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.hybrid.operators import LOCAL_OPERATOR, require_role
from cloudforest.model.identity import Operator, Role, sees_values
from cloudforest.provisioning.run import Progress

T = TypeVar("T")
Work = Callable[[LineSender], Awaitable[None]]


class BodyTooLarge(Rejected):
    """The body of a request is larger than its limit."""


_STATUS_BY_ERROR: dict[type[CloudforestError], HTTPStatus] = {
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Busy: HTTPStatus.CONFLICT,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Refused: HTTPStatus.FORBIDDEN,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Rejected: HTTPStatus.BAD_GATEWAY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Misconfigured: HTTPStatus.UNPROCESSABLE_ENTITY,
}
_NAMED_ERRORS = frozenset(_STATUS_BY_ERROR) - {Unauthenticated, BodyTooLarge}


def get_plane(request: Request) -> ControlPlane:
    plane: ControlPlane = request.app.state.plane
    return plane


async def read_bounded_body(request: Request, limit: int) -> bytearray:
    """Return the body; raise BodyTooLarge above `limit` bytes, and stop reading.

    Counts what arrives: a chunked body states no length.
    """
    error = BodyTooLarge(
        f"The request body is larger than {limit} bytes. Send several smaller requests."
    )
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limit:
        raise error
    try:
        return await read_stream(request.stream(), limit)
    except InputRefused:
        raise error from None


async def read_body(request: Request, kind: type[T], limit: int = MAX_BYTES) -> T:
    try:
        return msgspec.json.decode(await read_bounded_body(request, limit), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misconfigured(
            f"The request body is not a valid {kind.__name__}: {error}."
        ) from error


@dataclass(frozen=True)
class Call:
    """A request of an operator, whose role is checked."""

    request: Request
    operator: Operator

    @property
    def plane(self) -> ControlPlane:
        return get_plane(self.request)

    @property
    def name(self) -> str:
        """The job, stage or agent in the path."""
        return str(self.request.path_params["name"])

    def query(self, key: str, default: str = "") -> str:
        return self.request.query_params.get(key, default)

    async def read(self, kind: type[T], limit: int = MAX_BYTES) -> T:
        return await read_body(self.request, kind, limit)

    def require_values(self, needs: str) -> None:
        """Raise Refused if the role sees no values; `needs` begins a sentence."""
        if not sees_values(self.operator.role):
            raise Refused(
                f'Operator "{self.operator.name}" has the role `plan`. '
                f"{needs} `read`, `apply` or `allow`."
            )

    def stream(self, work: Work) -> StreamingResponse:
        """Respond with the lines of JSON that `work` sends; the last may be an error.

        The work continues without listener when the client disconnects.
        """
        return stream_json(_run_work(self.plane, work))


def route(
    method: str, path: str, role: Role, handler: Callable[[Call], Awaitable[Any]]
) -> Route:
    """Route to a handler that returns JSON or a response, for operators with a role."""

    async def endpoint(request: Request) -> Response:
        operator = await _require_operator(request, role)
        answer = await handler(Call(request, operator))
        return answer if isinstance(answer, Response) else json_response(answer)

    return Route(path, endpoint, methods=[method])


async def _require_operator(request: Request, role: Role) -> Operator:
    """Return the operator; raise Unauthenticated or Refused if token or role fail."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthenticated(
            "The operator's token is missing. Send `Authorization: Bearer TOKEN`."
        )
    operator = await get_plane(request).operators.authenticate(token)
    require_role(operator, role)
    user = unquote(request.headers.get(USER_HEADER, ""))
    if operator.name != LOCAL_OPERATOR or not user or not user.isprintable():
        return operator
    # For the audit: several accounts may use the local operator's token.
    return replace(operator, name=f"{operator.name} ({user[:64]})")


def json_response(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


async def error_response(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CloudforestError)  # noqa: S101 - registered for this class only
    kinds = [each for each in type(error).__mro__ if each in _STATUS_BY_ERROR]
    return json_response(_shape_error(error), _STATUS_BY_ERROR[kinds[0]])


def _shape_error(error: CloudforestError) -> dict[str, dict[str, str]]:
    """Return the error with its kind: the nearest class that clients know."""
    kind = next(each for each in type(error).__mro__ if each in _NAMED_ERRORS)
    return {"error": {"kind": kind.__name__, "message": str(error)}}


def _shape_bug(error: Exception) -> dict[str, dict[str, str]]:
    """Write a bug report; return an error that names its file."""
    message = (
        f"This is a bug in the control plane ({type(error).__name__}). "
        f"Please send us the report {write_bug_report(error)} from its machine."
    )
    return {"error": {"kind": "Bug", "message": message}}


class BugReportMiddleware:
    """Turns a bug into a report and a plain response, without values in a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            return  # the client disconnected during its request
        except Exception as error:  # noqa: BLE001 - a boundary: bugs end here
            body = msgspec.json.encode(_shape_bug(error))
            if not started:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                await Response(body, status)(scope, receive, send)


def report_progress(send: LineSender, **fields: str) -> Progress:
    """Return a callback that sends progress as lines, with these fields."""

    def progress(phase: str, done: int, total: int | None = None, /) -> None:
        send({**fields, "phase": phase, "done": done, "total": total})

    return progress


def stream_json(values: AsyncIterator[Any]) -> StreamingResponse:
    """Respond with one line of JSON for each value."""

    async def encode() -> AsyncIterator[bytes]:
        async for each in values:
            yield msgspec.json.encode(each) + b"\n"

    return StreamingResponse(encode(), media_type="application/x-ndjson")


async def _run_work(plane: ControlPlane, work: Work) -> AsyncIterator[Any]:
    lines: asyncio.Queue[Any] = asyncio.Queue()
    connected = True

    def send(line: dict[str, Any] | None) -> None:
        if connected:
            lines.put_nowait(line)

    async def run() -> None:
        try:
            await work(send)
        except CloudforestError as error:
            send(_shape_error(error))
        except Exception as error:  # noqa: BLE001 - sent, with a report
            send(_shape_bug(error))
        finally:
            send(None)

    task = plane.keep_running(run())
    try:
        while (line := await lines.get()) is not None:
            yield line
    finally:
        connected = False
    await task
