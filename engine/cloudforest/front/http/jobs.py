"""Jobs: which there are, running one now, and what drifted in its target."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.base.errors import CloudforestError
from cloudforest.front.http.answers import (
    answer,
    bug_data,
    error_data,
    operator_of,
    plane_of,
    read_body,
)
from cloudforest.front.wiring import drifts
from cloudforest.front.wiring.control_plane import ControlPlane
from cloudforest.front.wiring.drifts import Say
from cloudforest.hybrid.operators import require
from cloudforest.model.value import Value


async def list_jobs(request: Request) -> Response:
    await operator_of(request, "read")
    return answer(await plane_of(request).jobs())


class DriftRequest(Value, frozen=True):
    repair: bool = False


async def run(request: Request) -> Response:
    await operator_of(request, "apply")
    plane, name = plane_of(request), request.path_params["name"]

    async def work(say: Say) -> None:
        def progress(phase: str, done: int) -> None:
            say({"phase": phase, "done": done})

        say({"cycle": await plane.run_job(name, progress)})

    return _streamed(plane, work)


async def drift(request: Request) -> Response:
    operator = await operator_of(request, "read")
    asked = await read_body(request, DriftRequest)
    if asked.repair:
        require(operator, "apply")
    plane, name = plane_of(request), request.path_params["name"]
    looked = drifts.repair if asked.repair else drifts.look

    async def work(say: Say) -> None:
        say({"ended": await looked(plane, name, operator, say)})

    return _streamed(plane, work)


def _streamed(
    plane: ControlPlane, work: Callable[[Say], Awaitable[None]]
) -> StreamingResponse:
    return StreamingResponse(_lines(plane, work), media_type="application/x-ndjson")


async def _lines(
    plane: ControlPlane, work: Callable[[Say], Awaitable[None]]
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
            say(error_data(error))
        except Exception as error:  # noqa: BLE001 - told, with a report
            say(bug_data(error))
        finally:
            say(None)

    # What was begun goes on when the one who asked for it goes away, told to nobody.
    task = plane.keep(worked())
    try:
        while (line := await lines.get()) is not None:
            yield msgspec.json.encode(line) + b"\n"
    finally:
        heard = False
    await task


ROUTES = (
    Route("/jobs", list_jobs, methods=["GET"]),
    Route("/jobs/{name}/run", run, methods=["POST"]),
    Route("/jobs/{name}/drift", drift, methods=["POST"]),
)
