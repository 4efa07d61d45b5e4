"""Stages: what guards hold back, and what is decided about it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Refused
from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.front.wiring.decisions import Word
from cloudforest.model.identity import sees_values


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


ROUTES = (
    Route("/stages", list_stages, methods=["GET"]),
    Route("/stages/{stage}/objects", objects, methods=["GET"]),
    Route("/stages/{stage}/allow", allow, methods=["POST"]),
    Route("/stages/{stage}/discard", discard, methods=["POST"]),
)
