"""Jobs: which there are, and running one now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
)
from cloudforest.front.wiring.control_plane import ControlPlane


async def list_jobs(request: Request) -> Response:
    await operator_of(request, "read")
    return answer(await plane_of(request).jobs())


async def run(request: Request) -> Response:
    await operator_of(request, "apply")
    return StreamingResponse(
        _running(plane_of(request), request.path_params["name"]),
        media_type="application/x-ndjson",
    )


async def _running(plane: ControlPlane, name: str) -> AsyncIterator[bytes]:
    lines: asyncio.Queue[Any] = asyncio.Queue()

    def progress(phase: str, done: int) -> None:
        lines.put_nowait({"phase": phase, "done": done})

    async def work() -> None:
        try:
            cycle = await plane.run_job(name, progress)
            lines.put_nowait({"cycle": cycle})
        except CloudforestError as error:
            lines.put_nowait(error_data(error))
        except Exception as error:  # noqa: BLE001 - told, with a report
            lines.put_nowait(bug_data(error))
        finally:
            lines.put_nowait(None)

    # The cycle goes on when the one who asked for it goes away.
    task = plane.keep(work())
    while (line := await lines.get()) is not None:
        yield msgspec.json.encode(line) + b"\n"
    await task


ROUTES = (
    Route("/jobs", list_jobs, methods=["GET"]),
    Route("/jobs/{name}/run", run, methods=["POST"]),
)
