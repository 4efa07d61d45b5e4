"""Jobs by hand: pause, start, restart, and what is in escrow.

One object of a job: explaining it, and provisioning it on demand.

Jobs: which there are, running one now, and what drifted in its target.

Stages: what guards hold back, and what is decided about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.base.errors import Refused
from cloudforest.base.values import Value
from cloudforest.control_plane import drift as control_plane_drift
from cloudforest.control_plane.api.http import (
    Say,
    answer,
    operator_of,
    plane_of,
    read_body,
    streamed,
)
from cloudforest.control_plane.api.registration import require_whole
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.stages import Word
from cloudforest.hybrid.operators import require
from cloudforest.model.identity import Operator, sees_values
from cloudforest.model.jobs import read_scopes
from cloudforest.model.messages import Lookup
from cloudforest.model.registration import Registration


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


STEERING_ROUTES = (
    Route("/jobs/{name}/pause", pause, methods=["POST"]),
    Route("/jobs/{name}/start", start, methods=["POST"]),
    Route("/jobs/{name}/restart", restart, methods=["POST"]),
    Route("/jobs/{name}/escrow", escrow, methods=["GET"]),
    Route("/jobs/{name}/escrow/retry", retry, methods=["POST"]),
)


class Planned(Value, frozen=True):
    """An object to explain by what is not registered yet."""

    registration: Registration
    lookup: Lookup


async def _who_sees_values(request: Request) -> Operator:
    operator = await operator_of(request, "read")
    if not sees_values(operator.role):
        raise Refused(
            f"{operator.name} has the role `plan`, which sees no values of people; "
            "`explain` needs `read`, `apply` or `allow`."
        )
    return operator


async def explain(request: Request) -> Response:
    await _who_sees_values(request)
    lookup = await read_body(request, Lookup)
    objects = plane_of(request).objects
    return answer(await objects.explain(request.path_params["name"], lookup))


async def explain_planned(request: Request) -> Response:
    """Explain by a registration that would replace what is registered."""
    operator = await _who_sees_values(request)
    asked = await read_body(request, Planned)
    registration = require_whole(asked.registration)
    told = await plane_of(request).impacts.explain(
        registration, operator, request.path_params["name"], asked.lookup
    )
    return answer(told)


async def provision(request: Request) -> Response:
    operator = await operator_of(request, "apply")
    lookup = await read_body(request, Lookup)
    objects = plane_of(request).objects
    name = request.path_params["name"]
    # What was begun is finished, also when the one who asked goes away.
    told = plane_of(request).keep(objects.provision(name, lookup, operator))
    return answer(await asyncio.shield(told))


OBJECT_ROUTES = (
    Route("/jobs/{name}/explain", explain, methods=["POST"]),
    Route("/impact/{name}/explain", explain_planned, methods=["POST"]),
    Route("/jobs/{name}/provision", provision, methods=["POST"]),
)


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
    looked = control_plane_drift.repair if asked.repair else control_plane_drift.look

    async def work(say: Say) -> None:
        say({"ended": await looked(plane, name, operator, say)})

    return streamed(plane, work)


JOB_ROUTES = (
    Route("/jobs", list_jobs, methods=["GET"]),
    Route("/jobs/{name}/run", run, methods=["POST"]),
    Route("/jobs/{name}/drift", drift, methods=["POST"]),
)


async def list_stages(request: Request) -> Response:
    await operator_of(request, "read")
    plane = plane_of(request)
    job = request.query_params.get("job")
    if job is not None:
        await plane.steering.require(job)
    return answer(await plane.decisions.stages(job))


async def objects(request: Request) -> Response:
    operator = await operator_of(request, "read")
    if not sees_values(operator.role):
        raise Refused(
            f"{operator.name} has the role `plan`, which is told how many and not whom."
        )
    after = request.query_params.get("after", "")
    stage = request.path_params["stage"]
    return answer(await plane_of(request).decisions.objects(stage, after))


async def allow(request: Request) -> Response:
    operator = await operator_of(request, "allow")
    word = await read_body(request, Word)
    stage = request.path_params["stage"]
    return answer(await plane_of(request).decisions.allow(stage, word, operator))


async def discard(request: Request) -> Response:
    operator = await operator_of(request, "allow")
    stage = request.path_params["stage"]
    return answer(await plane_of(request).decisions.discard(stage, operator))


STAGE_ROUTES = (
    Route("/stages", list_stages, methods=["GET"]),
    Route("/stages/{stage}/objects", objects, methods=["GET"]),
    Route("/stages/{stage}/allow", allow, methods=["POST"]),
    Route("/stages/{stage}/discard", discard, methods=["POST"]),
)
