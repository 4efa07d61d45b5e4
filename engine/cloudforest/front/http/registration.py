"""What is registered, what would follow from another registration, and the change."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Misconfigured
from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.model.registration import Registration


async def show(request: Request) -> Response:
    await operator_of(request, "read")
    revision, registration = await plane_of(request).registrations.registration()
    return answer(
        {"revision": revision, "registration": registration}, ETag=f'"{revision}"'
    )


async def replace(request: Request) -> Response:
    """`If-Match` names the revision that the change was made against."""
    operator = await operator_of(request, "apply")
    base = _revision(request.headers.get("If-Match", ""))
    registration = await read_body(request, Registration)
    revision = await plane_of(request).register(
        registration, base=base, operator=operator
    )
    return answer({"revision": revision}, ETag=f'"{revision}"')


def _revision(etag: str) -> int:
    text = etag.strip().strip('"')
    if not text.isdecimal():
        raise Misconfigured(
            f'If-Match must be the revision of the registration, not "{text}".'
        )
    return int(text)


async def impact(request: Request) -> Response:
    await operator_of(request, "plan")
    registration = await read_body(request, Registration)
    return answer(await plane_of(request).impact(registration))


ROUTES = (
    Route("/registration", show, methods=["GET"]),
    Route("/registration", replace, methods=["PUT"]),
    Route("/impact", impact, methods=["POST"]),
)
