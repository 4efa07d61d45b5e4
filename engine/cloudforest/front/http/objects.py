"""One object of a job: explaining it, and provisioning it on demand."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Refused
from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.front.http.registration import require_whole
from cloudforest.model.identity import Operator, sees_values
from cloudforest.model.messages import Lookup
from cloudforest.model.registration import Registration
from cloudforest.model.value import Value


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


ROUTES = (
    Route("/jobs/{name}/explain", explain, methods=["POST"]),
    Route("/impact/{name}/explain", explain_planned, methods=["POST"]),
    Route("/jobs/{name}/provision", provision, methods=["POST"]),
)
