"""How requests are read and answered: JSON, roles, and errors with their kind."""

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

T = TypeVar("T")
LineSender = Callable[[dict[str, Any]], None]
"""Told each line of an answer that comes bit by bit."""

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


async def require_operator(request: Request, role: Role) -> Operator:
    """Return who asks; raises Refused unless the token is good and the role enough."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthenticated(
            "This needs an operator's token: send `Authorization: Bearer TOKEN`."
        )
    operator = await get_plane(request).operators.authenticate(token)
    require_role(operator, role)
    return _with_account(operator, unquote(request.headers.get(USER_HEADER, "")))


def _with_account(operator: Operator, user: str) -> Operator:
    """Return the local operator with the account that it says it is, for the audit."""
    if operator.name != LOCAL_OPERATOR or not user or not user.isprintable():
        return operator
    return replace(operator, name=f"{operator.name} ({user[:64]})")


async def read_body(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise Misconfigured(
            f"The request is not a {kind.__name__}: {error}."
        ) from error


def json_response(value: Any, **headers: str) -> Response:
    return Response(
        msgspec.json.encode(value), media_type="application/json", headers=headers
    )


async def error_response(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CloudforestError)  # noqa: S101 - registered for it alone
    status = next(
        _STATUS_BY_ERROR[kind]
        for kind in type(error).__mro__
        if kind in _STATUS_BY_ERROR
    )
    return Response(
        msgspec.json.encode(shape_error(error)), status, media_type="application/json"
    )


def shape_error(error: CloudforestError) -> dict[str, dict[str, str]]:
    """Name the kind by the class that clients know."""
    kind = next(each for each in type(error).__mro__ if each in _NAMED_ERRORS)
    return {"error": {"kind": kind.__name__, "message": str(error)}}


def shape_bug(error: Exception) -> dict[str, dict[str, str]]:
    """Write a report, and say where it is."""
    message = (
        f"This is a bug in the control plane ({type(error).__name__}). "
        f"The report is in {write_bug_report(error)} there; please send it to us."
    )
    return {"error": {"kind": "Bug", "message": message}}


def stream_response(
    plane: ControlPlane, work: Callable[[LineSender], Awaitable[None]]
) -> StreamingResponse:
    """Answer with what `work` says, a line of JSON each; the last may be its error."""
    return StreamingResponse(
        _stream_lines(plane, work), media_type="application/x-ndjson"
    )


async def _stream_lines(
    plane: ControlPlane, work: Callable[[LineSender], Awaitable[None]]
) -> AsyncIterator[bytes]:
    lines: asyncio.Queue[Any] = asyncio.Queue()
    heard = True

    def say(line: dict[str, Any] | None) -> None:
        if heard:
            lines.put_nowait(line)

    async def worked() -> None:
        try:
            await work(say)
        except CloudforestError as error:
            say(shape_error(error))
        except Exception as error:  # noqa: BLE001 - told, with a report
            say(shape_bug(error))
        finally:
            say(None)

    # What was begun goes on when the one who asked for it goes away, told to nobody.
    task = plane.keep_running(worked())
    try:
        while (line := await lines.get()) is not None:
            yield msgspec.json.encode(line) + b"\n"
    finally:
        heard = False
    await task
