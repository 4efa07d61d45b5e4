"""The tenant directory as an ASGI application, to be mounted at `/scim/v2`."""

from __future__ import annotations

from collections.abc import Callable

from scim2_models import UnauthorizedException
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.front.http.tenant.answers import ERROR_HANDLERS, error_answer
from cloudforest.front.http.tenant.discovery import discovery_routes
from cloudforest.front.http.tenant.kinds import KINDS
from cloudforest.front.http.tenant.resources import resource_routes
from cloudforest.front.http.tenant.search import search_routes

Authorized = Callable[[str], bool]
"""Whether a bearer token lets its holder in."""


class BearerToken:
    """Lets nobody in whose Authorization header has no good token."""

    def __init__(self, app: ASGIApp, authorized: Authorized) -> None:
        self._app = app
        self._authorized = authorized

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._lets_in(scope):
            await self._app(scope, receive, send)
            return
        error = UnauthorizedException(detail="The bearer token is missing or wrong.")
        answer = await error_answer(Request(scope), error)
        await answer(scope, receive, send)

    def _lets_in(self, scope: Scope) -> bool:
        header = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = header.decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and self._authorized(token.strip())


def tenant_app(directory: TenantDirectory, *, authorized: Authorized) -> Starlette:
    return Starlette(
        routes=[
            *discovery_routes(),
            *search_routes(directory),
            *(
                route
                for kind in KINDS.values()
                for route in resource_routes(directory, kind)
            ),
        ],
        middleware=[Middleware(BearerToken, authorized=authorized)],
        exception_handlers=ERROR_HANDLERS,
    )
