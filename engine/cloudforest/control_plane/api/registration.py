"""What is registered, what would follow from another registration, and the change.

Where agents enrol and bootstrap, and where operators get their one-time tokens.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.control_plane.api.http import (
    Say,
    answer,
    operator_of,
    plane_of,
    read_body,
    streamed,
)
from cloudforest.control_plane.impact import Telling
from cloudforest.model.identity import BootstrapRequest, EnrolRequest, sees_values
from cloudforest.model.registration import Registration
from cloudforest.model.renames import nouns


async def show(request: Request) -> Response:
    await operator_of(request, "read")
    store = plane_of(request).registrations
    if "revision" in request.query_params:
        number = _revision(request.query_params["revision"])
        return answer(await store.revision(number))
    revision, registration = await store.registration()
    return answer(
        {"revision": revision, "registration": registration}, ETag=f'"{revision}"'
    )


async def replace(request: Request) -> Response:
    """`If-Match` names the revision that the change was made against.

    `plan` and `commit`, digests, are what the audit says besides.
    """
    operator = await operator_of(request, "apply")
    base = _revision(request.headers.get("If-Match", ""))
    registration = require_whole(await read_body(request, Registration))
    revision = await plane_of(request).register(
        registration, base=base, operator=operator, detail=_detail(request)
    )
    return answer({"revision": revision}, ETag=f'"{revision}"')


def _detail(request: Request) -> str:
    """Return what the audit says of an apply: only digests, whoever sent them."""
    named = [(key, request.query_params.get(key, "")) for key in ("plan", "commit")]
    return ", ".join(f"{key} {text}" for key, text in named if _DIGEST.fullmatch(text))


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
    """Tell how far it is, and last what is foreseen.

    `samples=names` names people, for who sees values and not for `plan`.
    """
    named = request.query_params.get("samples") == "names"
    operator = await operator_of(request, "read" if named else "plan")
    if named and not sees_values(operator.role):
        raise Refused(
            f"{operator.name} has the role `plan`, which sees no names of people; "
            "`plan --samples names` needs `read`, `apply` or `allow`."
        )
    registration = require_whole(await read_body(request, Registration))
    plane = plane_of(request)

    async def work(say: Say) -> None:
        def watch(job: str, phase: str, done: int, total: int | None = None, /) -> None:
            say({"job": job, "phase": phase, "done": done, "total": total})

        telling = Telling(named=named, watch=watch)
        foreseen = await plane.impacts.of(registration, operator, telling)
        say({"foreseen": foreseen})

    return streamed(plane, work)


_DIGEST = re.compile(r"[0-9a-f]{7,64}( with changes)?")

REGISTRATION_ROUTES = (
    Route("/registration", show, methods=["GET"]),
    Route("/registration", replace, methods=["PUT"]),
    Route("/impact", impact, methods=["POST"]),
)


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


AGENT_ROUTES = (
    Route("/agents/{name}/token", issue_token, methods=["POST"]),
    Route("/agent/enrol", enrol, methods=["POST"]),
    Route("/agent/bootstrap", bootstrap, methods=["POST"]),
)
