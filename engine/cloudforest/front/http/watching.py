"""What an operator looks at: status and the provisioning log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.front.http.answers import answer, operator_of, plane_of
from cloudforest.front.wiring.control_plane import ControlPlane

_BATCH = 1000


async def status(request: Request) -> Response:
    await operator_of(request, "read")
    return answer(await plane_of(request).status())


async def logs(request: Request) -> Response:
    await operator_of(request, "read")
    query = request.query_params
    return StreamingResponse(
        _entries(plane_of(request), query.get("job"), query.get("object")),
        media_type="application/x-ndjson",
    )


async def _entries(
    plane: ControlPlane, job: str | None, guid: str | None
) -> AsyncIterator[bytes]:
    after = 0
    while entries := await plane.provisioning.logs(
        job=job, object=guid, after=after, limit=_BATCH
    ):
        for number, entry in entries:
            yield msgspec.json.encode(entry) + b"\n"
            after = number


ROUTES = (
    Route("/status", status, methods=["GET"]),
    Route("/logs", logs, methods=["GET"]),
)
