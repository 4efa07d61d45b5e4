"""Jobs by hand: pause, start, restart, and what is in escrow."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.front.wiring.control_plane import ControlPlane
from cloudforest.model.provisioning import read_scopes
from cloudforest.model.value import Value


class Restart(Value, frozen=True):
    """Graph's criteria; empty is its default."""

    reset_scope: tuple[str, ...] = ()


class Retry(Value, frozen=True):
    """One object by its objectGUID; None: all."""

    object: str | None = None


def _start_at_once(plane: ControlPlane, job: str) -> None:
    """Let the scheduler start the job now, if there is one."""
    if plane.scheduler is not None:
        plane.scheduler.start_at_once(job)


async def pause(request: Request) -> Response:
    operator = await operator_of(request, "apply")
    await plane_of(request).steering.pause(request.path_params["name"], operator)
    return answer({})


async def start(request: Request) -> Response:
    operator = await operator_of(request, "apply")
    plane, name = plane_of(request), request.path_params["name"]
    await plane.steering.start(name, operator)
    _start_at_once(plane, name)
    return answer({})


async def restart(request: Request) -> Response:
    operator = await operator_of(request, "apply")
    plane, name = plane_of(request), request.path_params["name"]
    scopes = read_scopes((await read_body(request, Restart)).reset_scope)
    await plane.steering.restart(name, scopes, operator)
    _start_at_once(plane, name)
    return answer({"reset": sorted(scopes)})


async def escrow(request: Request) -> Response:
    await operator_of(request, "read")
    plane, name = plane_of(request), request.path_params["name"]
    await plane.steering.require(name)
    return StreamingResponse(_escrowed(plane, name), media_type="application/x-ndjson")


async def _escrowed(plane: ControlPlane, name: str) -> AsyncIterator[bytes]:
    async for each in plane.steering.escrow(name):
        yield msgspec.json.encode(each) + b"\n"


async def retry(request: Request) -> Response:
    operator = await operator_of(request, "apply")
    plane, name = plane_of(request), request.path_params["name"]
    subject = (await read_body(request, Retry)).object
    retried = await plane.steering.retry(name, subject, operator)
    _start_at_once(plane, name)
    return answer({"retried": retried})


ROUTES = (
    Route("/jobs/{name}/pause", pause, methods=["POST"]),
    Route("/jobs/{name}/start", start, methods=["POST"]),
    Route("/jobs/{name}/restart", restart, methods=["POST"]),
    Route("/jobs/{name}/escrow", escrow, methods=["GET"]),
    Route("/jobs/{name}/escrow/retry", retry, methods=["POST"]),
)
