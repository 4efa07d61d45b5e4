"""Routes of the registration and its impact, and of the enrolment of agents."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.control_plane.api.http import (
    LineSender,
    get_plane,
    json_response,
    read_body,
    report_progress,
    require_operator,
    stream_response,
)
from cloudforest.control_plane.impact import ImpactOptions
from cloudforest.model.identity import BootstrapRequest, EnrolRequest, sees_values
from cloudforest.model.registration import Registration
from cloudforest.model.renames import list_stateful_documents

_AUDITED_DIGEST = re.compile(r"[0-9a-f]{7,64}")


def _parse_revision(etag: str) -> int:
    text = etag.strip().strip('"')
    if not text.isdecimal():
        raise Misconfigured(
            f'If-Match must be a revision of the registration, not "{text}".'
        )
    return int(text)


async def get_registration(request: Request) -> Response:
    await require_operator(request, "read")
    store = get_plane(request).registrations
    if "revision" in request.query_params:
        number = _parse_revision(request.query_params["revision"])
        return json_response(await store.load_revision(number))
    revision, registration = await store.load_registration()
    return json_response(
        {"revision": revision, "registration": registration}, ETag=f'"{revision}"'
    )


def _make_audit_detail(request: Request) -> str:
    """Return the detail of an apply for the audit: well-formed digests only."""
    digests = [(key, request.query_params.get(key, "")) for key in ("plan", "commit")]
    return ", ".join(
        f"{key} {text}" for key, text in digests if _AUDITED_DIGEST.fullmatch(text)
    )


async def put_registration(request: Request) -> Response:
    """Register; `If-Match` is the revision that the change was made against.

    The digests in `plan` and `commit` are recorded in the audit.
    """
    operator = await require_operator(request, "apply")
    base = _parse_revision(request.headers.get("If-Match", ""))
    registration = require_complete(await read_body(request, Registration))
    revision = await get_plane(request).register(
        registration, base=base, operator=operator, detail=_make_audit_detail(request)
    )
    return json_response({"revision": revision}, ETag=f'"{revision}"')


def require_complete(registration: Registration) -> Registration:
    """Return the registration; raise Misconfigured if a reference or name is wrong.

    The compiler never makes such a registration. References must exist, and no two
    documents of a kind may have or have had the same name.
    """
    domains = registration.domains_by_name()
    named = {name for each in registration.agents for name in each.domains}
    named |= {each.domain for each in registration.jobs}
    targets = {each.name for each in registration.targets}
    missing = [*(named - domains.keys())]
    missing += {each.target for each in registration.jobs} - targets
    missing += {each.name for each in registration.jobs} - registration.programs.keys()
    if missing:
        raise Misconfigured(
            f"The registration refers to unknown names: {', '.join(sorted(missing))}."
        )
    for kind, documents in list_stateful_documents(registration).items():
        names = [each.name for each in documents]
        names += [each.formerly for each in documents if each.formerly]
        if len(set(names)) < len(names):
            raise Misconfigured(
                f"Two documents of kind {kind} have or had the same name."
            )
    return registration


async def stream_impact(request: Request) -> Response:
    """Stream the progress of the evaluation, then the impact.

    `samples=names` names people and needs a role that sees values, not `plan`.
    """
    with_names = request.query_params.get("samples") == "names"
    operator = await require_operator(request, "read" if with_names else "plan")
    if with_names and not sees_values(operator.role):
        raise Refused(
            f'Operator "{operator.name}" has the role `plan`. '
            "`plan --samples names` needs `read`, `apply` or `allow`."
        )
    registration = require_complete(await read_body(request, Registration))
    plane = get_plane(request)

    async def work(send: LineSender) -> None:
        options = ImpactOptions(
            with_names=with_names,
            progress_of=lambda job: report_progress(send, job=job),
        )
        report = await plane.impacts.evaluate(registration, operator, options)
        send({"foreseen": report})

    return stream_response(plane, work)


REGISTRATION_ROUTES = (
    Route("/registration", get_registration, methods=["GET"]),
    Route("/registration", put_registration, methods=["PUT"]),
    Route("/impact", stream_impact, methods=["POST"]),
)


async def issue_token(request: Request) -> Response:
    operator = await require_operator(request, "apply")
    name = request.path_params["name"]
    token = await get_plane(request).issue_token(name, operator=operator)
    return json_response({"token": token})


async def enrol_agent(request: Request) -> Response:
    return json_response(
        await get_plane(request).enrolment.enrol(await read_body(request, EnrolRequest))
    )


async def bootstrap_agent(request: Request) -> Response:
    body = await read_body(request, BootstrapRequest)
    return json_response(await get_plane(request).bootstrapping.bootstrap(body))


AGENT_ROUTES = (
    Route("/agents/{name}/token", issue_token, methods=["POST"]),
    Route("/agent/enrol", enrol_agent, methods=["POST"]),
    Route("/agent/bootstrap", bootstrap_agent, methods=["POST"]),
)
