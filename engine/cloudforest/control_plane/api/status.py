"""Routes of status, provisioning log and audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cloudforest.base.errors import Misconfigured
from cloudforest.control_plane.api.http import (
    get_plane,
    json_response,
    require_operator,
)
from cloudforest.model.cycles import LogEntry, LogQuery
from cloudforest.model.identity import AuditRecord, sees_values
from cloudforest.model.ports.store import ProvisioningStore

_BATCH = 1000

LogShape = Callable[[LogEntry], dict[str, Any]]


def shape_log_entry(entry: LogEntry) -> dict[str, Any]:
    shape: dict[str, Any] = msgspec.to_builtins(entry)
    return shape


def shape_redacted_log_entry(entry: LogEntry) -> dict[str, Any]:
    """Return the entry for role `plan`, with neither names nor values."""
    plain = replace(entry, name=entry.object, changes=(), members=None)
    return shape_log_entry(plain)


async def get_status(request: Request) -> Response:
    await require_operator(request, "read")
    return json_response(await get_plane(request).status())


async def _encode_log(
    store: ProvisioningStore, query: LogQuery, after: int, shape: LogShape
) -> AsyncIterator[bytes]:
    first, last = await store.find_log_range(query.since, query.until)
    first = max(first, after + 1)
    while first <= last:
        batch = await store.list_log_entries(
            query, first=first, last=last, limit=_BATCH
        )
        for number, entry in batch:
            yield msgspec.json.encode({"id": number, **shape(entry)}) + b"\n"
        first = batch[-1][0] + 1 if len(batch) == _BATCH else last + 1


async def stream_logs(request: Request) -> Response:
    operator = await require_operator(request, "read")
    fields = dict(request.query_params)
    try:
        after = int(fields.pop("after", "0"))
        query = msgspec.convert(fields, LogQuery, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise Misconfigured(f"Invalid log query: {error}.") from error
    shape = shape_log_entry if sees_values(operator.role) else shape_redacted_log_entry
    return StreamingResponse(
        _encode_log(get_plane(request).provisioning, query, after, shape),
        media_type="application/x-ndjson",
    )


def _redact_audit_record(record: AuditRecord) -> AuditRecord:
    return record if record.action == "apply" else replace(record, detail="")


async def list_audit(request: Request) -> Response:
    """Return the records after a number; role `plan` gets no names of people."""
    operator = await require_operator(request, "read")
    try:
        after = int(request.query_params.get("after", "0"))
    except ValueError as error:
        raise Misconfigured(
            f"`after` must be the number of a record: {error}."
        ) from error
    records = await get_plane(request).identities.list_audit_records(
        after=after, limit=_BATCH
    )
    visible = [
        (number, each if sees_values(operator.role) else _redact_audit_record(each))
        for number, each in records
    ]
    return json_response(
        [{"id": number, **msgspec.to_builtins(each)} for number, each in visible]
    )


STATUS_ROUTES = (
    Route("/audit", list_audit, methods=["GET"]),
    Route("/status", get_status, methods=["GET"]),
    Route("/logs", stream_logs, methods=["GET"]),
)
