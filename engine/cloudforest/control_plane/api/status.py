"""What an operator looks at: status and the provisioning log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.api.http import answer, operator_of, plane_of
from cloudforest.model.cycles import LogEntry, LogQuery
from cloudforest.model.identity import AuditRecord, sees_values
from cloudforest.model.ports.store import ProvisioningStore

_BATCH = 1000

Told = Callable[[LogEntry], dict[str, Any]]


def as_told(entry: LogEntry) -> dict[str, Any]:
    """Return an entry in the documented shape."""
    told: dict[str, Any] = msgspec.to_builtins(entry)
    return told


def without_values(entry: LogEntry) -> dict[str, Any]:
    """Return what may be told to a pipeline: neither names nor values of anybody."""
    plain = replace(entry, name=entry.object, changes=(), members=None)
    return as_told(plain)


async def status(request: Request) -> Response:
    await operator_of(request, "read")
    return answer(await plane_of(request).status())


async def logs(request: Request) -> Response:
    operator = await operator_of(request, "read")
    fields = dict(request.query_params)
    try:
        after = int(fields.pop("after", "0"))
        query = msgspec.convert(fields, LogQuery, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise Misconfigured(f"The log can't be asked that: {error}.") from error
    told = as_told if sees_values(operator.role) else without_values
    return StreamingResponse(
        _entries(plane_of(request).provisioning, query, after, told),
        media_type="application/x-ndjson",
    )


async def _entries(
    store: ProvisioningStore, query: LogQuery, after: int, told: Told
) -> AsyncIterator[bytes]:
    first, last = await store.log_range(query.since, query.until)
    first = max(first, after + 1)
    while first <= last:
        batch = await store.logs(query, first=first, last=last, limit=_BATCH)
        for number, entry in batch:
            yield msgspec.json.encode({"id": number, **told(entry)}) + b"\n"
        first = batch[-1][0] + 1 if len(batch) == _BATCH else last + 1


async def audit(request: Request) -> Response:
    """Return the records after a number; what may name a person is for role `read`."""
    operator = await operator_of(request, "read")
    try:
        after = int(request.query_params.get("after", "0"))
    except ValueError as error:
        raise Misconfigured(f"`after` is the number of a record ({error}).") from error
    records = await plane_of(request).identities.audited(after=after, limit=_BATCH)
    seen = [
        (number, each if sees_values(operator.role) else _plain(each))
        for number, each in records
    ]
    return answer(
        [{"id": number, **msgspec.to_builtins(each)} for number, each in seen]
    )


def _plain(record: AuditRecord) -> AuditRecord:
    return record if record.action == "apply" else replace(record, detail="")


STATUS_ROUTES = (
    Route("/audit", audit, methods=["GET"]),
    Route("/status", status, methods=["GET"]),
    Route("/logs", logs, methods=["GET"]),
)
