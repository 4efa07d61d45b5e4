"""The ASGI application: every HTTP path of the control plane, with its role."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from typing import Any, cast

import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from cloudforest.base.errors import CloudforestError, Misconfigured
from cloudforest.base.files import MAX_DATA_BYTES
from cloudforest.base.inputs import make_printable
from cloudforest.base.values import Value
from cloudforest.control_plane import drift, shapes
from cloudforest.control_plane.api.http import (
    BugReportMiddleware,
    Call,
    error_response,
    get_plane,
    json_response,
    read_body,
    report_progress,
    route,
    stream_json,
)
from cloudforest.control_plane.drift import LineSender
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.stages import AllowRequest
from cloudforest.hybrid.operators import require_role
from cloudforest.model.cycles import LogEntry, LogQuery
from cloudforest.model.identity import BootstrapRequest, EnrolRequest, sees_values
from cloudforest.model.jobs import parse_reset_scopes
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Registration
from cloudforest.model.renames import list_stateful_documents

_BATCH = 1000
_MAX_DIGITS = 18
_AFTER = "`after` must be the number of a record"
_AUDITED_DIGEST = re.compile(r"[0-9a-f]{7,64}")


class RestartRequest(Value, frozen=True):
    """The reset scopes of Microsoft Graph; empty means Graph's default."""

    reset_scope: tuple[str, ...] = ()


class RetryRequest(Value, frozen=True):
    """The object to retry, by objectGUID; None: all."""

    object: str | None = None


class DriftRequest(Value, frozen=True):
    repair: bool = False


class ExplainPlannedRequest(Value, frozen=True):
    """An object to explain by a registration that is not applied yet."""

    registration: Registration
    lookup: Lookup


# --- registration and agents ---------------------------------------------------------


def _parse_number(text: str, requirement: str) -> int:
    """Return a number that a database can hold; else raise Misconfigured."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise Misconfigured(f'{requirement}, not "{make_printable(text, limit=40)}".')
    return int(text)


def _parse_revision(etag: str) -> int:
    requirement = "If-Match must be a revision of the registration"
    return _parse_number(etag.strip().strip('"'), requirement)


async def get_registration(call: Call) -> Any:
    store = call.plane.runner.registrations
    if "revision" in call.request.query_params:
        return await store.load_revision(_parse_revision(call.query("revision")))
    revision, registration = await store.load_registration()
    body = {"revision": revision, "registration": registration}
    return json_response(body, ETag=f'"{revision}"')


async def put_registration(call: Call) -> Any:
    """Register; `If-Match` is the revision that the change was made against.

    The digests in `plan` and `commit` are recorded in the audit, if well-formed.
    """
    base = _parse_revision(call.request.headers.get("If-Match", ""))
    registration = require_complete(await call.read(Registration, MAX_DATA_BYTES))
    digests = [(key, call.query(key)) for key in ("plan", "commit")]
    detail = ", ".join(
        f"{key} {text}" for key, text in digests if _AUDITED_DIGEST.fullmatch(text)
    )
    revision = await call.plane.register(
        registration, base=base, operator=call.operator, detail=detail
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


async def stream_impact(call: Call) -> Response:
    """Stream the progress of the evaluation, then the impact.

    `samples=names` names people and needs a role that sees values, not `plan`.
    """
    with_names = call.query("samples") == "names"
    if with_names:
        call.require_values("`plan --samples names` needs")
    else:
        require_role(call.operator, "plan")
    registration = require_complete(await call.read(Registration, MAX_DATA_BYTES))

    async def work(send: LineSender) -> None:
        report = await call.plane.impacts.evaluate(
            registration,
            call.operator,
            with_names=with_names,
            progress_of=lambda job: report_progress(send, job=job),
        )
        send({"foreseen": report})

    return call.stream(work)


async def issue_token(call: Call) -> Any:
    return {"token": await call.plane.issue_token(call.name, operator=call.operator)}


async def enrol_agent(request: Request) -> Response:
    body = await read_body(request, EnrolRequest)
    return json_response(await get_plane(request).enrolment.enrol(body))


async def bootstrap_agent(request: Request) -> Response:
    body = await read_body(request, BootstrapRequest)
    return json_response(await get_plane(request).bootstrapping.bootstrap(body))


# --- jobs ----------------------------------------------------------------------------


async def list_jobs(call: Call) -> Any:
    return shapes.shape_jobs(await call.plane.runner.read_registration())


async def run_job(call: Call) -> Response:
    async def work(send: LineSender) -> None:
        progress = report_progress(send)
        cycle = await call.plane.runner.run_cycle(call.name, progress=progress)
        send({"cycle": shapes.shape_cycle(cycle)})

    return call.stream(work)


async def stream_drift(call: Call) -> Response:
    repair = (await call.read(DriftRequest)).repair
    if repair:
        require_role(call.operator, "apply")
    scan = drift.repair_drift if repair else drift.report_drift

    async def work(send: LineSender) -> None:
        send({"ended": await scan(call.plane, call.name, call.operator, send)})

    return call.stream(work)


def _start_now(call: Call) -> None:
    """Start the job now if a scheduler runs."""
    if call.plane.scheduler is not None:
        call.plane.scheduler.start_now(call.name)


async def pause_job(call: Call) -> Any:
    await call.plane.jobs.pause(call.name, call.operator)
    return {}


async def start_job(call: Call) -> Any:
    await call.plane.jobs.start(call.name, call.operator)
    _start_now(call)
    return {}


async def restart_job(call: Call) -> Any:
    scopes = parse_reset_scopes((await call.read(RestartRequest)).reset_scope)
    await call.plane.jobs.restart(call.name, scopes, call.operator)
    _start_now(call)
    return {"reset": sorted(scopes)}


async def stream_escrow(call: Call) -> Response:
    await call.plane.jobs.require_job(call.name)
    return stream_json(call.plane.jobs.list_escrow(call.name))


async def retry_escrow(call: Call) -> Any:
    subject = (await call.read(RetryRequest)).object
    retried = await call.plane.jobs.retry(call.name, subject, call.operator)
    _start_now(call)
    return {"retried": retried}


async def explain_object(call: Call) -> Any:
    call.require_values("`explain` needs")
    return await call.plane.jobs.explain(call.name, await call.read(Lookup))


async def explain_planned_object(call: Call) -> Any:
    """Explain by a registration that would replace the current one."""
    call.require_values("`explain` needs")
    body = await call.read(ExplainPlannedRequest, MAX_DATA_BYTES)
    return await call.plane.impacts.explain(
        require_complete(body.registration), call.operator, call.name, body.lookup
    )


async def provision_object(call: Call) -> Any:
    lookup = await call.read(Lookup)
    work = call.plane.jobs.provision(call.name, lookup, call.operator)
    # Finish even if the client disconnects.
    return await asyncio.shield(call.plane.keep_running(work))


# --- stages --------------------------------------------------------------------------


async def list_stages(call: Call) -> Any:
    job = call.request.query_params.get("job")
    if job is not None:
        await call.plane.jobs.require_job(job)
    return await call.plane.stage_decisions.list_stages(job)


async def list_stage_objects(call: Call) -> Any:
    call.require_values("The objects of a stage need")
    return await call.plane.stage_decisions.list_objects(call.name, call.query("after"))


async def allow_stage(call: Call) -> Any:
    body = await call.read(AllowRequest)
    return await call.plane.stage_decisions.allow(call.name, body, call.operator)


async def discard_stage(call: Call) -> Any:
    return await call.plane.stage_decisions.discard(call.name, call.operator)


# --- status and logs -----------------------------------------------------------------


async def get_status(call: Call) -> Any:
    return await call.plane.jobs.status(call.plane.scheduler)


def shape_redacted_log_entry(entry: LogEntry) -> dict[str, Any]:
    """Return the entry for role `plan`, with neither names nor values."""
    redacted = replace(entry, name=entry.object, changes=(), members=None)
    return cast("dict[str, Any]", msgspec.to_builtins(redacted))


async def _read_log(
    store: ProvisioningStore,
    query: LogQuery,
    after: int,
    shape: Callable[[LogEntry], dict[str, Any]],
) -> AsyncIterator[dict[str, Any]]:
    first, last = await store.find_log_range(query.since, query.until)
    first = max(first, after + 1)
    while first <= last:
        page = await store.list_log_entries(query, first=first, last=last, limit=_BATCH)
        for number, entry in page:
            yield {"id": number, **shape(entry)}
        first = page[-1][0] + 1 if len(page) == _BATCH else last + 1


async def stream_logs(call: Call) -> Response:
    fields = dict(call.request.query_params)
    after = _parse_number(fields.pop("after", "0"), _AFTER)
    try:
        query = msgspec.convert(fields, LogQuery, strict=False)
        for each in (query.since, query.until):
            if each is not None:
                each.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Misconfigured(f"Invalid log query: {error}.") from error
    visible = sees_values(call.operator.role)
    shape = msgspec.to_builtins if visible else shape_redacted_log_entry
    return stream_json(_read_log(call.plane.runner.store, query, after, shape))


async def list_audit(call: Call) -> Any:
    """Return the records after a number; role `plan` gets no names of people."""
    after = _parse_number(call.query("after", "0"), _AFTER)
    records = await call.plane.identities.list_audit_records(after=after, limit=_BATCH)
    shown = []
    for number, each in records:
        visible = sees_values(call.operator.role) or each.action == "apply"
        record = each if visible else replace(each, detail="")
        shown.append({"id": number, **msgspec.to_builtins(record)})
    return shown


ROUTES = (
    route("GET", "/registration", "read", get_registration),
    route("PUT", "/registration", "apply", put_registration),
    route("POST", "/impact", "read", stream_impact),
    route("POST", "/impact/{name}/explain", "read", explain_planned_object),
    route("POST", "/agents/{name}/token", "apply", issue_token),
    Route("/agent/enrol", enrol_agent, methods=["POST"]),
    Route("/agent/bootstrap", bootstrap_agent, methods=["POST"]),
    route("GET", "/jobs", "read", list_jobs),
    route("POST", "/jobs/{name}/run", "apply", run_job),
    route("POST", "/jobs/{name}/drift", "read", stream_drift),
    route("POST", "/jobs/{name}/pause", "apply", pause_job),
    route("POST", "/jobs/{name}/start", "apply", start_job),
    route("POST", "/jobs/{name}/restart", "apply", restart_job),
    route("GET", "/jobs/{name}/escrow", "read", stream_escrow),
    route("POST", "/jobs/{name}/escrow/retry", "apply", retry_escrow),
    route("POST", "/jobs/{name}/explain", "read", explain_object),
    route("POST", "/jobs/{name}/provision", "apply", provision_object),
    route("GET", "/stages", "read", list_stages),
    route("GET", "/stages/{name}/objects", "read", list_stage_objects),
    route("POST", "/stages/{name}/allow", "allow", allow_stage),
    route("POST", "/stages/{name}/discard", "allow", discard_stage),
    route("GET", "/status", "read", get_status),
    route("GET", "/logs", "read", stream_logs),
    route("GET", "/audit", "read", list_audit),
)


def make_app(plane: ControlPlane, directory: ASGIApp) -> Starlette:
    """Return the application; `directory` is the built-in SCIM directory."""
    app = Starlette(
        routes=[*ROUTES, Mount("/scim/v2", app=directory)],
        middleware=[Middleware(BugReportMiddleware)],
        exception_handlers={CloudforestError: error_response},
    )
    app.state.plane = plane
    return app
