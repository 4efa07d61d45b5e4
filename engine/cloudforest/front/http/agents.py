"""Where agents enrol and bootstrap, and where operators get their one-time tokens."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.model.identity import BootstrapRequest, EnrolRequest


async def issue_token(request: Request) -> Response:
    operator = await operator_of(request, "apply")
    name = request.path_params["name"]
    token = await plane_of(request).issue_token(name, operator=operator)
    return answer({"token": token})


async def enrol(request: Request) -> Response:
    return answer(
        await plane_of(request).enrolment.enrol(await read_body(request, EnrolRequest))
    )


async def bootstrap(request: Request) -> Response:
    body = await read_body(request, BootstrapRequest)
    return answer(await plane_of(request).bootstrapping.bootstrap(body))


ROUTES = (
    Route("/agents/{name}/token", issue_token, methods=["POST"]),
    Route("/agent/enrol", enrol, methods=["POST"]),
    Route("/agent/bootstrap", bootstrap, methods=["POST"]),
)
