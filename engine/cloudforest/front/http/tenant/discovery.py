"""The discovery endpoints: what the service is and serves (RFC 7644, 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from scim2_models import (
    ForbiddenException,
    ListResponse,
    Meta,
    NotFoundException,
    Resource,
    ResourceType,
    Schema,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.front.http.tenant.answers import base_of, scim
from cloudforest.front.http.tenant.kinds import PROVIDER


def _located(resource: Any, url: str) -> dict[str, Any]:
    meta = Meta(resource_type=type(resource).__name__, location=url)
    document: dict[str, Any] = resource.model_copy(update={"meta": meta}).model_dump()
    return document


def _refuse_filter(request: Request) -> None:
    # RFC 7644, 4: "If a filter is provided, the service provider SHOULD respond 403".
    if "filter" in request.query_params:
        raise ForbiddenException(detail="What is served can't be filtered.")


async def _config(request: Request) -> Response:
    _refuse_filter(request)
    url = f"{base_of(request)}/ServiceProviderConfig"
    return scim(msgspec.json.encode(_located(PROVIDER.config, url)))


def _documents(resources: Sequence[Resource[Any]], url: str) -> dict[str, Any]:
    return {str(each.id): _located(each, f"{url}/{each.id}") for each in resources}


def _listing(name: str, resources: Sequence[Resource[Any]]) -> list[Route]:
    async def every(request: Request) -> Response:
        _refuse_filter(request)
        documents = _documents(resources, f"{base_of(request)}/{name}")
        answer: dict[str, Any] = {
            "schemas": [str(ListResponse.__schema__)],
            "totalResults": len(documents),
            "startIndex": 1,
            "itemsPerPage": len(documents),
            "Resources": list(documents.values()),
        }
        return scim(msgspec.json.encode(answer))

    async def one(request: Request) -> Response:
        _refuse_filter(request)
        documents = _documents(resources, f"{base_of(request)}/{name}")
        id_ = request.path_params["id"]
        if id_ not in documents:
            raise NotFoundException(detail=f"There is no such entry in {name}.")
        return scim(msgspec.json.encode(documents[id_]))

    return [
        Route(f"/{name}", every, methods=["GET"]),
        Route(f"/{name}/{{id}}", one, methods=["GET"]),
    ]


def discovery_routes() -> list[Route]:
    types: Sequence[ResourceType] = PROVIDER.resource_types
    schemas: Sequence[Schema] = PROVIDER.schemas
    return [
        Route("/ServiceProviderConfig", _config, methods=["GET"]),
        *_listing("ResourceTypes", types),
        *_listing("Schemas", schemas),
    ]
