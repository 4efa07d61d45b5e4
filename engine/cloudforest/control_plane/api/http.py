"""Reads requests and makes responses: JSON, roles, errors with their kind, streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cloudforest.adapters.control.http import USER_HEADER
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
from cloudforest.base.logs import write_bug_report
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.hybrid.operators import LOCAL_OPERATOR, require_role
from cloudforest.model.identity import Operator, Role
from cloudforest.provisioning.run import Progress

T = TypeVar("T")
LineSender = Callable[[dict[str, Any]], None]
"""Takes each line of a streamed response."""

_STATUS_BY_ERROR: dict[type[CloudforestError], HTTPStatus] = {
    Stale: HTTPStatus.PRECONDITION_FAILED,
    Busy: HTTPStatus.CONFLICT,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Refused: HTTPStatus.FORBIDDEN,
    Rejected: HTTPStatus.BAD_GATEWAY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    Misconfigured: HTTPStatus.UNPROCESSABLE_ENTITY,
}


_NAMED_ERRORS = frozenset(_STATUS_BY_ERROR) - {Unauthenticated}


def get_plane(request: Request) -> ControlPlane:
    plane: ControlPlane = request.app.state.plane
    return plane


def _with_account(operator: Operator, user: str) -> Operator:
    """Add the account that the client names to the local operator, for the audit."""
    if operator.name != LOCAL_OPERATOR or not user or not user.isprintable():
        return operator
    return replace(operator, name=f"{operator.name} ({user[:64]})")


async def require_operator(request: Request, role: Role) -> Operator:
    """Return the operator; raise Unauthenticated or Refused if token or role fail."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthenticated(
            "The operator's token is missing. Send `Authorization: Bearer TOKEN`."
        )
    operator = await get_plane(request).operators.authenticate(token)
    require_role(operator, role)
    return _with_account(operator, unquote(request.headers.get(USER_HEADER, "")))


async def read_body(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f"The request body is not a valid {kind.__name__}: {error}."
        ) from error


def json_response(value: Any, **headers: str) -> Response:
    return Response(
        msgspec.json.encode(value), media_type="application/json", headers=headers
    )


async def error_response(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CloudforestError)  # noqa: S101 - registered for this class only
    status = next(
        _STATUS_BY_ERROR[kind]
        for kind in type(error).__mro__
        if kind in _STATUS_BY_ERROR
    )
    return Response(
        msgspec.json.encode(shape_error(error)), status, media_type="application/json"
    )


def shape_error(error: CloudforestError) -> dict[str, dict[str, str]]:
    """Return the error with its kind: the nearest class that clients know."""
    kind = next(each for each in type(error).__mro__ if each in _NAMED_ERRORS)
    return {"error": {"kind": kind.__name__, "message": str(error)}}


def shape_bug(error: Exception) -> dict[str, dict[str, str]]:
    """Write a bug report; return an error that names its file."""
    message = (
        f"This is a bug in the control plane ({type(error).__name__}). "
        f"Please send us the report {write_bug_report(error)} from its machine."
    )
    return {"error": {"kind": "Bug", "message": message}}


def report_progress(send: LineSender, **fields: str) -> Progress:
    """Return a callback that sends progress as lines, with these fields."""

    def progress(phase: str, done: int, total: int | None = None, /) -> None:
        send({**fields, "phase": phase, "done": done, "total": total})

    return progress


async def _stream_lines(
    plane: ControlPlane, work: Callable[[LineSender], Awaitable[None]]
) -> AsyncIterator[bytes]:
    lines: asyncio.Queue[Any] = asyncio.Queue()
    connected = True

    def send(line: dict[str, Any] | None) -> None:
        if connected:
            lines.put_nowait(line)

    async def run_work() -> None:
        try:
            await work(send)
        except CloudforestError as error:
            send(shape_error(error))
        except Exception as error:  # noqa: BLE001 - sent, with a report
            send(shape_bug(error))
        finally:
            send(None)

    # The work continues without listener when the client disconnects.
    task = plane.keep_running(run_work())
    try:
        while (line := await lines.get()) is not None:
            yield msgspec.json.encode(line) + b"\n"
    finally:
        connected = False
    await task


def stream_response(
    plane: ControlPlane, work: Callable[[LineSender], Awaitable[None]]
) -> StreamingResponse:
    """Respond with the lines of JSON that `work` sends; the last may be its error."""
    return StreamingResponse(
        _stream_lines(plane, work), media_type="application/x-ndjson"
    )
