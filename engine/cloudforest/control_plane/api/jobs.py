"""Routes of jobs: run, drift, control by hand, escrow, single objects and stages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.base.errors import Refused
from cloudforest.base.values import Value
from cloudforest.control_plane import drift
from cloudforest.control_plane.api.http import (
    LineSender,
    get_plane,
    json_response,
    read_body,
    report_progress,
    require_operator,
    stream_response,
)
from cloudforest.control_plane.api.registration import require_complete
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.stages import AllowRequest
from cloudforest.hybrid.operators import require_role
from cloudforest.model.identity import Operator, sees_values
from cloudforest.model.jobs import parse_reset_scopes
from cloudforest.model.messages import Lookup
from cloudforest.model.registration import Registration


class RestartRequest(Value, frozen=True):
    """The reset scopes of Microsoft Graph; empty means Graph's default."""

    reset_scope: tuple[str, ...] = ()


class RetryRequest(Value, frozen=True):
    """The object to retry, by objectGUID; None: all."""

    object: str | None = None


def _start_now(plane: ControlPlane, job: str) -> None:
    """Start the job now if a scheduler runs."""
    if plane.scheduler is not None:
        plane.scheduler.start_now(job)


async def pause_job(request: Request) -> Response:
    operator = await require_operator(request, "apply")
    await get_plane(request).job_controls.pause(request.path_params["name"], operator)
    return json_response({})


async def start_job(request: Request) -> Response:
    operator = await require_operator(request, "apply")
    plane, name = get_plane(request), request.path_params["name"]
    await plane.job_controls.start(name, operator)
    _start_now(plane, name)
    return json_response({})


async def restart_job(request: Request) -> Response:
    operator = await require_operator(request, "apply")
    plane, name = get_plane(request), request.path_params["name"]
    scopes = parse_reset_scopes((await read_body(request, RestartRequest)).reset_scope)
    await plane.job_controls.restart(name, scopes, operator)
    _start_now(plane, name)
    return json_response({"reset": sorted(scopes)})


async def _encode_escrow(plane: ControlPlane, name: str) -> AsyncIterator[bytes]:
    async for each in plane.job_controls.list_escrow(name):
        yield msgspec.json.encode(each) + b"\n"


async def stream_escrow(request: Request) -> Response:
    await require_operator(request, "read")
    plane, name = get_plane(request), request.path_params["name"]
    await plane.job_controls.require_job(name)
    return StreamingResponse(
        _encode_escrow(plane, name), media_type="application/x-ndjson"
    )


async def retry_escrow(request: Request) -> Response:
    operator = await require_operator(request, "apply")
    plane, name = get_plane(request), request.path_params["name"]
    subject = (await read_body(request, RetryRequest)).object
    retried = await plane.job_controls.retry(name, subject, operator)
    _start_now(plane, name)
    return json_response({"retried": retried})


STEERING_ROUTES = (
    Route("/jobs/{name}/pause", pause_job, methods=["POST"]),
    Route("/jobs/{name}/start", start_job, methods=["POST"]),
    Route("/jobs/{name}/restart", restart_job, methods=["POST"]),
    Route("/jobs/{name}/escrow", stream_escrow, methods=["GET"]),
    Route("/jobs/{name}/escrow/retry", retry_escrow, methods=["POST"]),
)


class ExplainPlannedRequest(Value, frozen=True):
    """An object to explain by a registration that is not applied yet."""

    registration: Registration
    lookup: Lookup


async def _require_value_reader(request: Request) -> Operator:
    operator = await require_operator(request, "read")
    if not sees_values(operator.role):
        raise Refused(
            f'Operator "{operator.name}" has the role `plan`. '
            "`explain` needs `read`, `apply` or `allow`."
        )
    return operator


async def explain_object(request: Request) -> Response:
    await _require_value_reader(request)
    lookup = await read_body(request, Lookup)
    objects = get_plane(request).objects
    return json_response(await objects.explain(request.path_params["name"], lookup))


async def explain_planned_object(request: Request) -> Response:
    """Explain by a registration that would replace the current one."""
    operator = await _require_value_reader(request)
    body = await read_body(request, ExplainPlannedRequest)
    registration = require_complete(body.registration)
    explanation = await get_plane(request).impacts.explain(
        registration, operator, request.path_params["name"], body.lookup
    )
    return json_response(explanation)


async def provision_object(request: Request) -> Response:
    operator = await require_operator(request, "apply")
    lookup = await read_body(request, Lookup)
    objects = get_plane(request).objects
    name = request.path_params["name"]
    # Finish even if the client disconnects.
    task = get_plane(request).keep_running(objects.provision(name, lookup, operator))
    return json_response(await asyncio.shield(task))


OBJECT_ROUTES = (
    Route("/jobs/{name}/explain", explain_object, methods=["POST"]),
    Route("/impact/{name}/explain", explain_planned_object, methods=["POST"]),
    Route("/jobs/{name}/provision", provision_object, methods=["POST"]),
)


async def list_jobs(request: Request) -> Response:
    await require_operator(request, "read")
    return json_response(await get_plane(request).list_jobs())


class DriftRequest(Value, frozen=True):
    repair: bool = False


async def run_job(request: Request) -> Response:
    await require_operator(request, "apply")
    plane, name = get_plane(request), request.path_params["name"]

    async def work(send: LineSender) -> None:
        send({"cycle": await plane.run_job(name, report_progress(send))})

    return stream_response(plane, work)


async def stream_drift(request: Request) -> Response:
    operator = await require_operator(request, "read")
    repair = (await read_body(request, DriftRequest)).repair
    if repair:
        require_role(operator, "apply")
    plane, name = get_plane(request), request.path_params["name"]
    scan = drift.repair_drift if repair else drift.report_drift

    async def work(send: LineSender) -> None:
        send({"ended": await scan(plane, name, operator, send)})

    return stream_response(plane, work)


JOB_ROUTES = (
    Route("/jobs", list_jobs, methods=["GET"]),
    Route("/jobs/{name}/run", run_job, methods=["POST"]),
    Route("/jobs/{name}/drift", stream_drift, methods=["POST"]),
)


async def list_stages(request: Request) -> Response:
    await require_operator(request, "read")
    plane = get_plane(request)
    job = request.query_params.get("job")
    if job is not None:
        await plane.job_controls.require_job(job)
    return json_response(await plane.stage_decisions.list_stages(job))


async def list_stage_objects(request: Request) -> Response:
    operator = await require_operator(request, "read")
    if not sees_values(operator.role):
        raise Refused(
            f'Operator "{operator.name}" has the role `plan`. '
            "The objects of a stage need `read`, `apply` or `allow`."
        )
    after = request.query_params.get("after", "")
    stage = request.path_params["stage"]
    return json_response(
        await get_plane(request).stage_decisions.list_objects(stage, after)
    )


async def allow_stage(request: Request) -> Response:
    operator = await require_operator(request, "allow")
    body = await read_body(request, AllowRequest)
    stage = request.path_params["stage"]
    return json_response(
        await get_plane(request).stage_decisions.allow(stage, body, operator)
    )


async def discard_stage(request: Request) -> Response:
    operator = await require_operator(request, "allow")
    stage = request.path_params["stage"]
    return json_response(
        await get_plane(request).stage_decisions.discard(stage, operator)
    )


STAGE_ROUTES = (
    Route("/stages", list_stages, methods=["GET"]),
    Route("/stages/{stage}/objects", list_stage_objects, methods=["GET"]),
    Route("/stages/{stage}/allow", allow_stage, methods=["POST"]),
    Route("/stages/{stage}/discard", discard_stage, methods=["POST"]),
)
