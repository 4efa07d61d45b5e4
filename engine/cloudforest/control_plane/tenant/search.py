"""Lists and searches, by query or `.search` (RFC 7644, 3.4.2 and 3.4.3)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from scim2_models import Context, NotImplementedException, ScimFilter, SearchRequest
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.adapters.store.tenant import (
    ResourceQuery,
    StoredResource,
    TenantDirectory,
)
from cloudforest.control_plane.tenant.content import (
    are_members_requested,
    excludes_only_members,
    to_json,
    to_model,
)
from cloudforest.control_plane.tenant.http import (
    get_base_url,
    list_response,
    read_body,
    read_json,
)
from cloudforest.control_plane.tenant.types import (
    DEFAULT_RESULTS,
    MAX_RESULTS,
    SERVED_TYPES,
    ServedType,
    make_search_model,
)

BATCH_SIZE = 25
"""How many resources are processed before other requests get a turn."""
SEARCH_PARAMETERS = (
    "attributes",
    "excludedAttributes",
    "filter",
    "startIndex",
    "count",
)
UNSUPPORTED_PARAMETERS = ("sortBy", "sortOrder", "cursor")

Endpoint = Callable[[Request], Awaitable[Response]]


def _find_index_key(node: FilterNode, kind: ServedType) -> tuple[str, str] | None:
    """Return an indexed equality that every match fulfils."""
    match node:
        case LogicalExpr(op=LogicalOperator.and_, terms=terms):
            keys = (_find_index_key(each, kind) for each in terms)
            return next((each for each in keys if each is not None), None)
        case Comparison(
            attr_path=AttrPath(attr=attr, sub_attr=None, uri=None),
            op=CompareOperator.eq,
            value=str() as value,
        ):
            if attr.lower() == "id":
                return "id", value
            return next(
                (
                    (path, normalize(value))
                    for path, normalize in kind.index_keys.items()
                    if path.lower() == attr.lower()
                ),
                None,
            )
        case _:
            return None


async def _filter_resources(
    directory: TenantDirectory,
    first: ResourceQuery,
    scim_filter: ScimFilter[Any],
    *,
    window: range,
    members: bool,
) -> tuple[int, list[StoredResource]]:
    """Try the filter on each candidate; return the total and the requested page."""
    total, found, query = 0, list[StoredResource](), first
    while True:
        # Let other requests run: a filter without an index reads the whole directory.
        await asyncio.sleep(0)
        batch = await directory.list_resources(query, members=members)
        for stored in batch:
            if scim_filter.match(to_model(stored)):
                if total in window:
                    found.append(stored)
                total += 1
        if len(batch) < query.limit:
            return total, found
        query = dataclasses.replace(query, after=batch[-1].sequence)


async def _find_resources(
    directory: TenantDirectory,
    kinds: tuple[ServedType, ...],
    request: SearchRequest[Any],
) -> tuple[int, list[StoredResource]]:
    kind = kinds[0].name if len(kinds) == 1 else None
    skip = (request.start_index or 1) - 1
    count = DEFAULT_RESULTS if request.count is None else request.count
    count = min(count, MAX_RESULTS)
    members = any(each.has_members for each in kinds) and are_members_requested(request)
    if request.filter is None:
        query = ResourceQuery(kind, skip=skip, limit=count)
        return await directory.count(kind), await directory.list_resources(
            query, members=members
        )
    key = _find_index_key(request.filter.ast, kinds[0]) if kind else None
    return await _filter_resources(
        directory,
        ResourceQuery(kind, key=key, limit=BATCH_SIZE),
        request.filter,
        window=range(skip, skip + count),
        members=members or "members" in str(request.filter).lower(),
    )


async def _respond(
    total: int, found: list[StoredResource], request: SearchRequest[Any], base: str
) -> Response:
    projected = request.attributes or request.excluded_attributes
    parameters = request if projected and not excludes_only_members(request) else None
    resources = []
    for start in range(0, len(found), BATCH_SIZE):
        await asyncio.sleep(0)
        resources += [
            msgspec.Raw(to_json(each, base, parameters))
            for each in found[start : start + BATCH_SIZE]
        ]
    return list_response(resources, total=total, start=request.start_index or 1)


def _make_search(directory: TenantDirectory, kinds: tuple[ServedType, ...]) -> Endpoint:
    model = make_search_model(kinds)

    async def search(request: Request) -> Response:
        payload: dict[str, Any] = (
            read_json(await read_body(request))
            if request.method == "POST"
            else {
                name: request.query_params[name]
                for name in (*SEARCH_PARAMETERS, *UNSUPPORTED_PARAMETERS)
                if name in request.query_params
            }
        )
        if any(name in payload for name in UNSUPPORTED_PARAMETERS):
            raise NotImplementedException(
                detail="This service supports neither sorting nor cursors."
            )
        search_request = model.model_validate(payload, scim_ctx=Context.SEARCH_REQUEST)
        total, found = await _find_resources(directory, kinds, search_request)
        return await _respond(total, found, search_request, get_base_url(request))

    return search


def make_search_routes(directory: TenantDirectory) -> list[Route]:
    """Return the search routes; they must precede the routes of resources."""
    everything = _make_search(directory, tuple(SERVED_TYPES.values()))
    routes = [
        Route("/", everything, methods=["GET"]),
        Route("/.search", everything, methods=["POST"]),
    ]
    for kind in SERVED_TYPES.values():
        search = _make_search(directory, (kind,))
        routes += [
            Route(f"/{kind.endpoint}", search, methods=["GET"]),
            Route(f"/{kind.endpoint}/.search", search, methods=["POST"]),
        ]
    return routes
