"""Lists and searches, by query or by `.search` (RFC 7644, 3.4.2 and 3.4.3)."""

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

from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.adapters.store.tenant_rows import Slice, Stored
from cloudforest.control_plane.tenant.content import (
    only_without_members,
    to_json,
    to_model,
    wants_members,
)
from cloudforest.control_plane.tenant.http import base_of, read_body, read_json, scim
from cloudforest.control_plane.tenant.types import (
    DEFAULT_RESULTS,
    KINDS,
    MAX_RESULTS,
    Kind,
    searching,
)

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
AT_ONCE = 25
"""How many resources are looked at before other requests have their turn."""
PARAMETERS = ("attributes", "excludedAttributes", "filter", "startIndex", "count")
UNSUPPORTED = ("sortBy", "sortOrder", "cursor")

Endpoint = Callable[[Request], Awaitable[Response]]


def _key_of(node: FilterNode, kind: Kind) -> tuple[str, str] | None:
    """Return an equality that every match fulfils and an index answers."""
    match node:
        case LogicalExpr(op=LogicalOperator.and_, terms=terms):
            keys = (_key_of(each, kind) for each in terms)
            return next((each for each in keys if each is not None), None)
        case Comparison(
            attr_path=AttrPath(attr=attr, sub_attr=None, uri=None),
            op=CompareOperator.eq,
            value=str() as value,
        ):
            if attr.lower() == "id":
                return "id", value
            for path, key in kind.keys.items():
                if path.lower() == attr.lower():
                    return path, key(value)
        case _:
            pass
    return None


async def _matching(
    directory: TenantDirectory,
    first: Slice,
    wanted: ScimFilter[Any],
    *,
    window: range,
    members: bool,
) -> tuple[int, list[Stored]]:
    """Try the filter on each candidate, keeping none but the page asked for."""
    total, found, part = 0, list[Stored](), first
    while True:
        # Others have their turn: a filter without an index reads the whole directory.
        await asyncio.sleep(0)
        batch = await directory.listing(part, members=members)
        for stored in batch:
            if wanted.match(to_model(stored)):
                if total in window:
                    found.append(stored)
                total += 1
        if len(batch) < part.limit:
            return total, found
        part = dataclasses.replace(part, after=batch[-1].sequence)


async def _find(
    directory: TenantDirectory, kinds: tuple[Kind, ...], request: SearchRequest[Any]
) -> tuple[int, list[Stored]]:
    kind = kinds[0].name if len(kinds) == 1 else None
    skip = (request.start_index or 1) - 1
    count = DEFAULT_RESULTS if request.count is None else request.count
    count = min(count, MAX_RESULTS)
    members = any(each.has_members for each in kinds) and wants_members(request)
    if request.filter is None:
        part = Slice(kind, skip=skip, limit=count)
        return await directory.count(kind), await directory.listing(
            part, members=members
        )
    key = _key_of(request.filter.ast, kinds[0]) if kind else None
    return await _matching(
        directory,
        Slice(kind, key=key, limit=AT_ONCE),
        request.filter,
        window=range(skip, skip + count),
        members=members or "members" in str(request.filter).lower(),
    )


async def _listed(
    total: int, found: list[Stored], request: SearchRequest[Any], base: str
) -> Response:
    asked = request.attributes or request.excluded_attributes
    parameters = request if asked and not only_without_members(request) else None
    resources = []
    for start in range(0, len(found), AT_ONCE):
        await asyncio.sleep(0)
        resources += [
            msgspec.Raw(to_json(each, base, parameters))
            for each in found[start : start + AT_ONCE]
        ]
    document = {
        "schemas": [LIST_RESPONSE],
        "totalResults": total,
        "startIndex": request.start_index or 1,
        "itemsPerPage": len(found),
        "Resources": resources,
    }
    return scim(msgspec.json.encode(document))


def _search(directory: TenantDirectory, kinds: tuple[Kind, ...]) -> Endpoint:
    model = searching(kinds)

    async def search(request: Request) -> Response:
        payload: dict[str, Any] = (
            read_json(await read_body(request))
            if request.method == "POST"
            else {
                name: request.query_params[name]
                for name in (*PARAMETERS, *UNSUPPORTED)
                if name in request.query_params
            }
        )
        if any(name in payload for name in UNSUPPORTED):
            raise NotImplementedException(
                detail="This service neither sorts nor pages by cursor."
            )
        wanted = model.model_validate(payload, scim_ctx=Context.SEARCH_REQUEST)
        total, found = await _find(directory, kinds, wanted)
        return await _listed(total, found, wanted, base_of(request))

    return search


def search_routes(directory: TenantDirectory) -> list[Route]:
    """Return the routes of each type and of all; they go before those of resources."""
    everything = _search(directory, tuple(KINDS.values()))
    routes = [
        Route("/", everything, methods=["GET"]),
        Route("/.search", everything, methods=["POST"]),
    ]
    for kind in KINDS.values():
        search = _search(directory, (kind,))
        routes += [
            Route(f"/{kind.endpoint}", search, methods=["GET"]),
            Route(f"/{kind.endpoint}/.search", search, methods=["POST"]),
        ]
    return routes
