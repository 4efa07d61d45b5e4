"""The built-in directory as an ASGI application, with discovery (RFC 7644, 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from scim2_models import (
    ForbiddenException,
    Meta,
    NotFoundException,
    Resource,
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
    list_response,
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


def _make_listing_routes(name: str, resources: Sequence[Resource[Any]]) -> list[Route]:
    def make_documents(request: Request) -> dict[str, Any]:
        _refuse_filter(request)
        url = f"{get_base_url(request)}/{name}"
        return {
            str(each.id): _add_location(each, f"{url}/{each.id}") for each in resources
        }

    async def every(request: Request) -> Response:
        documents = list(make_documents(request).values())
        return list_response(documents, total=len(documents))

    async def one(request: Request) -> Response:
        documents, id_ = make_documents(request), request.path_params["id"]
        if id_ not in documents:
            raise NotFoundException(detail=f'{name} has no entry "{id_}".')
        return scim_response(msgspec.json.encode(documents[id_]))

    return [
        Route(f"/{name}", every, methods=["GET"]),
        Route(f"/{name}/{{id}}", one, methods=["GET"]),
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
            Route("/ServiceProviderConfig", _get_config, methods=["GET"]),
            *_make_listing_routes("ResourceTypes", SCIM_PROVIDER.resource_types),
            *_make_listing_routes("Schemas", SCIM_PROVIDER.schemas),
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
