"""Jobs: which there are, running one now, and what drifted in its target."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.front.http.answers import (
    Say,
    answer,
    operator_of,
    plane_of,
    read_body,
    streamed,
)
from cloudforest.front.wiring import drifts
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
        def progress(phase: str, done: int, total: int | None = None, /) -> None:
            say({"phase": phase, "done": done, "total": total})

        say({"cycle": await plane.run_job(name, progress)})

    return streamed(plane, work)


async def drift(request: Request) -> Response:
    operator = await operator_of(request, "read")
    asked = await read_body(request, DriftRequest)
    if asked.repair:
        require(operator, "apply")
    plane, name = plane_of(request), request.path_params["name"]
    looked = drifts.repair if asked.repair else drifts.look

    async def work(say: Say) -> None:
        say({"ended": await looked(plane, name, operator, say)})

    return streamed(plane, work)


ROUTES = (
    Route("/jobs", list_jobs, methods=["GET"]),
    Route("/jobs/{name}/run", run, methods=["POST"]),
    Route("/jobs/{name}/drift", drift, methods=["POST"]),
)
