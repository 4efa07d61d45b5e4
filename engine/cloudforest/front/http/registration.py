"""What is registered, what would follow from another registration, and the change."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Misconfigured
from cloudforest.front.http.answers import answer, operator_of, plane_of, read_body
from cloudforest.model.registration import Registration
from cloudforest.model.renames import nouns


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
    registration = require_whole(await read_body(request, Registration))
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


def require_whole(registration: Registration) -> Registration:
    """Raise Misconfigured where something refers to nothing; the compiler does not.

    Neither may two have had one name, or one the name of another.
    """
    domains = registration.domains()
    named = {name for each in registration.agents for name in each.domains}
    named |= {each.domain for each in registration.jobs}
    targets = {each.name for each in registration.targets}
    missing = [*(named - domains.keys())]
    missing += {each.target for each in registration.jobs} - targets
    missing += {each.name for each in registration.jobs} - registration.programs.keys()
    if missing:
        raise Misconfigured(
            f"The registration refers to {', '.join(sorted(missing))}, which it lacks."
        )
    for kind, held in nouns(registration).items():
        names = [each.name for each in held]
        names += [each.formerly for each in held if each.formerly]
        if len(set(names)) < len(names):
            raise Misconfigured(f"Two of kind {kind} have, or had, the same name.")
    return registration


async def impact(request: Request) -> Response:
    operator = await operator_of(request, "plan")
    registration = require_whole(await read_body(request, Registration))
    return answer(await plane_of(request).impact(registration, operator))


ROUTES = (
    Route("/registration", show, methods=["GET"]),
    Route("/registration", replace, methods=["PUT"]),
    Route("/impact", impact, methods=["POST"]),
)
