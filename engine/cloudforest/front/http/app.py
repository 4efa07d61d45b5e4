"""All routes of the control plane in one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from cloudforest.base.errors import CloudforestError
from cloudforest.front.http import agents, jobs, registration, watching
from cloudforest.front.http.answers import answer_error
from cloudforest.front.wiring.control_plane import ControlPlane


def make_app(plane: ControlPlane, tenant: ASGIApp | None) -> Starlette:
    """Return the application; `tenant` is the embedded SCIM tenant directory."""
    routes: list[BaseRoute] = [
        *registration.ROUTES,
        *agents.ROUTES,
        *jobs.ROUTES,
        *watching.ROUTES,
    ]
    if tenant is not None:
        routes.append(Mount("/scim/v2", app=tenant))
    app = Starlette(routes=routes, exception_handlers={CloudforestError: answer_error})
    app.state.plane = plane
    return app
