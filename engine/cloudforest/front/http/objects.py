"""One object of a job: explaining it, and provisioning it on demand."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Refused
from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.model.identity import sees_values
from cloudforest.model.messages import Lookup


async def explain(request: Request) -> Response:
    operator = await operator_of(request, "read")
    if not sees_values(operator.role):
        raise Refused(
            f"{operator.name} has the role `plan`, which sees no values of people; "
            "`explain` needs `read`, `apply` or `allow`."
        )
    lookup = await read_body(request, Lookup)
    objects = plane_of(request).objects
    return answer(await objects.explain(request.path_params["name"], lookup))


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
    Route("/jobs/{name}/provision", provision, methods=["POST"]),
)
