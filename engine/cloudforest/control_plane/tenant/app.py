"""The built-in directory as an ASGI application, with discovery (RFC 7644, 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    UnauthorizedException,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.control_plane.tenant.http import (
    ERROR_HANDLERS,
    error_response,
    get_base_url,
    scim_response,
)
from cloudforest.control_plane.tenant.resources import make_resource_routes
from cloudforest.control_plane.tenant.search import make_search_routes
from cloudforest.control_plane.tenant.types import SCIM_PROVIDER, SERVED_TYPES


def _add_location(resource: Any, url: str) -> dict[str, Any]:
    meta = Meta(resource_type=type(resource).__name__, location=url)
    document: dict[str, Any] = resource.model_copy(update={"meta": meta}).model_dump()
    return document


def _refuse_filter(request: Request) -> None:
    # RFC 7644, 4: "If a filter is provided, the service provider SHOULD respond 403".
    if "filter" in request.query_params:
        raise ForbiddenException(detail="Discovery endpoints do not support filters.")


async def _get_config(request: Request) -> Response:
    _refuse_filter(request)
    url = f"{get_base_url(request)}/ServiceProviderConfig"
    return scim_response(msgspec.json.encode(_add_location(SCIM_PROVIDER.config, url)))


def _make_documents(resources: Sequence[Resource[Any]], url: str) -> dict[str, Any]:
    return {str(each.id): _add_location(each, f"{url}/{each.id}") for each in resources}


def _make_listing_routes(name: str, resources: Sequence[Resource[Any]]) -> list[Route]:
    async def every(request: Request) -> Response:
        _refuse_filter(request)
        documents = _make_documents(resources, f"{get_base_url(request)}/{name}")
        answer: dict[str, Any] = {
            "schemas": [str(ListResponse.__schema__)],
            "totalResults": len(documents),
            "startIndex": 1,
            "itemsPerPage": len(documents),
            "Resources": list(documents.values()),
        }
        return scim_response(msgspec.json.encode(answer))

    async def one(request: Request) -> Response:
        _refuse_filter(request)
        documents = _make_documents(resources, f"{get_base_url(request)}/{name}")
        id_ = request.path_params["id"]
        if id_ not in documents:
            raise NotFoundException(detail=f'{name} has no entry "{id_}".')
        return scim_response(msgspec.json.encode(documents[id_]))

    return [
        Route(f"/{name}", every, methods=["GET"]),
        Route(f"/{name}/{{id}}", one, methods=["GET"]),
    ]


def make_discovery_routes() -> list[Route]:
    types: Sequence[ResourceType] = SCIM_PROVIDER.resource_types
    schemas: Sequence[Schema] = SCIM_PROVIDER.schemas
    return [
        Route("/ServiceProviderConfig", _get_config, methods=["GET"]),
        *_make_listing_routes("ResourceTypes", types),
        *_make_listing_routes("Schemas", schemas),
    ]


TokenCheck = Callable[[str], bool]
"""Tells whether a bearer token is valid."""


class BearerTokenMiddleware:
    """Rejects requests without a valid token in the Authorization header."""

    def __init__(self, app: ASGIApp, authorized: TokenCheck) -> None:
        self._app = app
        self._authorized = authorized

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_authorized_request(scope):
            await self._app(scope, receive, send)
            return
        error = UnauthorizedException(detail="The bearer token is missing or wrong.")
        answer = await error_response(Request(scope), error)
        await answer(scope, receive, send)

    def _is_authorized_request(self, scope: Scope) -> bool:
        header = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = header.decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and self._authorized(token.strip())


def make_directory_app(
    directory: TenantDirectory, *, authorized: TokenCheck
) -> Starlette:
    return Starlette(
        routes=[
            *make_discovery_routes(),
            *make_search_routes(directory),
            *(
                route
                for kind in SERVED_TYPES.values()
                for route in make_resource_routes(directory, kind)
            ),
        ],
        middleware=[Middleware(BearerTokenMiddleware, authorized=authorized)],
        exception_handlers=ERROR_HANDLERS,
    )
